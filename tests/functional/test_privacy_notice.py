"""The notice says what the gates enforce; a change is announced before it acts; a new use of old data wants consent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.cli import main
from lti_server.cli import policy as policy_command
from lti_server.errors import ContractForbids
from lti_server.ids import ContractId, PersonId, new_id
from lti_server.privacy import contracts, new_use, schedule
from lti_server.privacy.districts import District
from lti_server.privacy.model import Purpose
from lti_server.privacy.notice import USED
from lti_server.privacy.rights import Asked
from tests import world
from tests.clock import FakeClock
from tests.functional.inviting import form_of
from tests.peers.bare_platform import Platform

Say = Callable[..., dict[str, Any]]
OFFICE = (
    "reports: [{audience: district, level: aggregate, dimensions: [], min_n: {value: 10, clause: H},"
    " recipients: [{name: Office, email: office@north.example, role: data_steward}]}]\n"
    "evaluators: []"
)
WORDS = ("--summary-en", "Reports are added.", "--summary-fr", "Des rapports sont ajoutés.")


@pytest.fixture
def say(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    monkeypatch.setattr(policy_command, "open_house", lambda: house)

    def run(*arguments: str, exits: int = 0) -> dict[str, Any]:
        if exits:
            with pytest.raises(SystemExit):
                main(["policy", *arguments, "--json"])
        else:
            main(["policy", *arguments, "--json"])
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    return run


def days_on(house: House, days: int) -> str:
    return str(house.clock.now().date() + timedelta(days=days))


def test_the_notice_lists_every_element_that_a_gate_knows_and_no_other(client: FlaskClient) -> None:
    page = client.get("/privacy").text
    assert {one for one in schedule.ELEMENTS if f">{one}<" in page} == USED


@pytest.mark.parametrize(("locale", "words"), [("en", "The English text binds"), ("fr", "Le texte anglais fait foi")])
def test_the_notice_says_in_both_languages_which_one_binds(client: FlaskClient, locale: str, words: str) -> None:
    assert words in client.get(f"/privacy?lang={locale}").text


def test_a_districts_notice_prints_the_days_and_clauses_of_its_own_contract(client: FlaskClient, house: House) -> None:
    world.district(
        house, terms=world.contract(house, more="limits: {disposition_days: {value: 47, clause: Art. IV 6 b}}")
    )
    page = client.get("/privacy/districts/north").text
    assert "400 days" in page
    assert "Art. IV 6 b" in page
    assert ">student_name.first_and_or_last<" in page
    assert ">demographics.gender<" not in page
    assert client.get("/privacy/districts/nowhere").status_code == 404


def test_without_a_contract_the_notice_says_that_nothing_is_kept(client: FlaskClient, house: House) -> None:
    world.district(house, terms=None)
    assert "nothing may be kept about anybody" in client.get("/privacy/districts/north").text


def test_no_recipient_of_a_contract_stands_in_its_notice(client: FlaskClient, house: House) -> None:
    world.district(house, terms=world.contract(house, more=OFFICE))
    assert "office@" not in client.get("/privacy/districts/north").text


def test_a_material_change_is_announced_thirty_days_before_by_page_and_mail_and_acts_only_then(
    client: FlaskClient, house: House, say: Say, clock: FakeClock
) -> None:
    district = world.district(house, terms=world.contract(house, more=OFFICE))
    world.district(house, "south")
    said = ("--material", "--purpose", "instruction", *WORDS)
    early = say("announce", "--acts-on", days_on(house, 29), *said, exits=1)
    assert early["errors"][0]["pointer"] == "/acts_on"
    made = say("announce", "--acts-on", days_on(house, 30), *said)
    assert (made["version"], made["mails"], made["districts_without_office"]) == (2, 1, ["south"])
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM mail_message")).scalar_one() == 1
        assert (
            connection.execute(sa.text("SELECT count(*) FROM log_entry WHERE act = 'policy announce'")).scalar_one()
            == 1
        )
    assert "Reports are added." in client.get("/privacy").text
    assert "Des rapports" in client.get("/privacy?lang=fr").text
    assert say("list")["acting"] == 1
    clock.pass_s(30 * 86_400)
    assert (say("list")["acting"], say("list")["purposes"]) == (2, ["instruction"])


def test_a_purpose_that_the_notice_in_force_does_not_name_is_not_read_for(
    house: House, say: Say, clock: FakeClock
) -> None:
    more = world.contract(house).replace("purposes: [instruction]", "purposes: [instruction, evaluation]")
    district = world.district(house, terms=more)
    say("announce", "--acts-on", days_on(house, 30), "--purpose", "instruction", *WORDS)
    with house.database.tenant(district.id) as connection:
        new_use.reading_for(connection, district.zone, Purpose.EVALUATION, clock.now())
        later = clock.now() + timedelta(days=30)
        with pytest.raises(ContractForbids, match="names no such purpose"):
            new_use.reading_for(connection, district.zone, Purpose.EVALUATION, later)


def test_a_new_use_of_old_data_is_refused_for_each_who_did_not_agree(
    client: FlaskClient, platform: Platform, house: House, district: District, say: Say, clock: FakeClock
) -> None:
    world.launch(client, platform, house, sub="agrees")
    world.launch(client, platform, house, sub="is silent")
    clock.pass_s(2 * 86_400)
    wider = world.contract(house, begins=clock.now().date()).replace("[instruction]", "[instruction, evaluation]")
    world.sign(house, district, wider)
    with house.database.tenant(district.id) as connection:
        people = list(connection.execute(sa.text("SELECT id FROM person ORDER BY created_at")).scalars())

    def read(purpose: Purpose) -> set[object]:
        with house.database.tenant(district.id) as connection:
            reading = new_use.reading_for(connection, district.zone, purpose, clock.now())
            return set(fields_of(connection, district.keys, people, reading))

    assert read(Purpose.INSTRUCTION) == set(people)
    assert read(Purpose.EVALUATION) == set()
    say("consent", str(people[0]), "--purpose", "evaluation", "--given-as", "guardian")
    assert read(Purpose.EVALUATION) == {people[0]}
    assert say("withdraw", str(people[0]), "--purpose", "evaluation")["withdrawn"] is True
    assert read(Purpose.EVALUATION) == set()
    world.launch(client, platform, house, sub="is silent", name="New Name")
    assert read(Purpose.EVALUATION) == {people[1]}


def test_the_contract_page_shows_what_may_come_stay_and_leave_and_gives_the_file(
    client: FlaskClient, house: House
) -> None:
    district = world.district(house, terms=world.contract(house, more=OFFICE))
    assert client.get("/district/contract").status_code == 401
    come_as_data_steward(client, house, district)
    page = client.get("/district/contract")
    assert page.status_code == 200
    for words in ("400 days", "to the gradebook of the LMS", "NDPA Exhibit B", "version 1", "Download version 1"):
        assert words in page.text
    file = client.get("/district/contract/1/file")
    assert file.headers["Content-Disposition"] == 'attachment; filename="contract-1.yaml"'
    assert file.text.startswith("contract: 1")
    assert client.get("/district/contract/2/file").status_code == 404
    with house.database.tenant(district.id) as connection:
        looks = connection.execute(sa.text("SELECT count(*) FROM log_entry WHERE act = 'contract see'")).scalar_one()
    assert looks == 3


def come_as_data_steward(client: FlaskClient, house: House, district: District) -> None:
    token, _ = house.invitations.invite(StaffRole.DATA_STEWARD, district.id)
    form = form_of(client.get(f"/signin/invitation/{token}").text)
    client.post(f"/signin/invitation/{token}", data=form)


def test_the_contract_page_says_which_version_a_restore_has_lost_and_gives_no_file_of_it(
    client: FlaskClient, house: House
) -> None:
    district, now = world.district(house), house.clock.now()
    with house.database.tenant(district.id) as connection:
        assert contracts.lose(
            connection, district.id, ContractId(new_id()), version=2, policy_hash="ab" * 32, begins=now.date(),
            at=now + timedelta(seconds=1),
        )  # fmt: skip
    come_as_data_steward(client, house, district)
    page = client.get("/district/contract")
    assert "No contract is in force" in page.text
    assert f"lost by a restore of the server; its file has to be loaded again. Policy hash: {'ab' * 32}" in page.text
    assert client.get("/district/contract/2/file").status_code == 404


def test_what_was_collected_on_the_day_of_a_signature_before_it_is_old(
    client: FlaskClient, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    """The first day of a contract may lie before its signature; a use does not."""
    world.launch(client, platform, house)
    clock.pass_s(60)
    world.sign(house, district, world.contract(house).replace("[instruction]", "[instruction, evaluation]"))
    with house.database.tenant(district.id) as connection:
        people = list(connection.execute(sa.text("SELECT id FROM person")).scalars())
        reading = new_use.reading_for(connection, district.zone, Purpose.EVALUATION, clock.now())
        assert fields_of(connection, district.keys, people, reading) == {}


def test_a_consent_is_exported_with_its_person_and_goes_with_them(
    client: FlaskClient, platform: Platform, house: House, district: District, say: Say
) -> None:
    world.launch(client, platform, house)
    with house.database.tenant(district.id) as connection:
        person = PersonId(connection.execute(sa.text("SELECT id FROM person")).scalar_one())
    for _ in range(2):
        say("consent", str(person), "--purpose", "instruction", "--given-as", "school")
    exported = house.rights.rights.export(
        district.id, person, Asked(by="test", act="person export", reason="to see the consent")
    )
    assert json.dumps(exported, default=str).count('"given_as": "school"') == 1
    house.rights.erase(district.id, person, by="test", keeps_grades=True, patience_s=0)
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM consent")).scalar_one() == 0


def test_the_front_page_leads_to_the_notice(client: FlaskClient) -> None:
    assert 'href="/privacy"' in client.get("/").text


def test_what_was_announced_cannot_be_changed(house: House, say: Say) -> None:
    say("announce", "--acts-on", days_on(house, 30), *WORDS)
    refused = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
    with refused, house.database.anyone() as connection:
        connection.execute(sa.text("UPDATE policy_version SET acts_on = '2000-01-01'"))


def test_a_version_acts_from_its_day_and_not_before() -> None:
    from lti_server.privacy.notices import Version, acting

    one = Version(
        version=2, acts_on=date(2027, 1, 1), material=True, purposes=frozenset({Purpose.INSTRUCTION}),
        summary_en="x", summary_fr="x", announced_at=datetime(2026, 12, 1, tzinfo=UTC),
    )  # fmt: skip
    assert acting([one], date(2026, 12, 31)) == (1, frozenset(Purpose))
    assert acting([one], date(2027, 1, 1)) == (2, one.purposes)
