"""`lti-server incident`, from discovery to the last notice, over districts with different contracts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server import cli
from lti_server.app import House
from lti_server.cli import incident, main
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.peers import smtp
from tests.peers.bare_platform import Platform

OFFICE = "data@north.example"
TERMS = f"""statutes: [ny_2d]
limits:
  breach_notice_hours: {{value: 72, clause: "Art. V 4"}}
reports:
  - audience: district
    level: aggregate
    dimensions: []
    min_n: {{value: 10, clause: "Exhibit H 2"}}
    recipients: [{{name: "Data office", email: {OFFICE}, role: data_steward}}]
"""


@pytest.fixture
def said(house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command and answers with its JSON; `fails` where it is to be refused."""
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    monkeypatch.setattr(incident, "open_house", lambda: house)

    def run(*arguments: str, fails: bool = False) -> dict[str, Any]:
        capsys.readouterr()
        if fails:
            with pytest.raises(SystemExit):
                main(["incident", *arguments, "--json"])
        else:
            main(["incident", *arguments, "--json"])
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    return run


@pytest.fixture
def lived_in(house: House, district: District, client: FlaskClient, platform: Platform) -> District:
    """Three pupils of the north; the south has nobody."""
    world.sign(house, district, world.contract(house, more=TERMS))
    for pupil in ("ada", "bob", "cem"):
        assert world.launch(client, platform, house, sub=pupil).status_code == 303
    world.district(house, "south")
    return district


def opened(said: Any, clock: FakeClock, *more: str) -> dict[str, Any]:
    found = said(
        "open",
        "--description",
        "A laptop was lost.",
        "--discovered",
        clock.now().isoformat(),
        "--provider",
        "lti",
        *more,
    )
    assert isinstance(found, dict)
    return found


def test_an_incident_concerns_the_districts_whose_people_have_such_data(
    lived_in: District, said: Any, clock: FakeClock
) -> None:
    found = opened(said, clock, "--element", "student_name.first_and_or_last")
    assert found["people"] == 3
    assert [one["district"] for one in found["districts"]] == ["north"]
    assert found["districts"][0]["uses"]
    assert "nobody" in said("open", "--description", "x", "--discovered", clock.now().isoformat(), "--provider",
                            "google", fails=True)["detail"].lower()  # fmt: skip


def test_what_came_after_the_window_is_not_affected(
    lived_in: District, said: Any, clock: FakeClock, client: FlaskClient, platform: Platform, house: House
) -> None:
    before = clock.now()
    clock.pass_s(3_600)
    assert world.launch(client, platform, house, sub="dan").status_code == 303
    assert opened(said, clock)["people"] == 4
    assert opened(said, clock, "--until", before.isoformat())["people"] == 3


def test_the_clocks_run_from_discovery_and_from_confirmation_and_the_strictest_counts(
    lived_in: District, said: Any, clock: FakeClock
) -> None:
    discovered = clock.now()
    first = opened(said, clock)
    assert first["clause"] == "8 NYCRR 121.10(a), 7 days"
    assert datetime.fromisoformat(first["due_at"]) == discovered + timedelta(days=7)
    clock.pass_s(3_600)
    sure = said("confirm", first["id"], "--at", clock.now().isoformat())
    assert (sure["state"], sure["clause"]) == ("confirmed", "Art. V 4")
    assert datetime.fromisoformat(sure["due_at"]) == discovered + timedelta(hours=73)


def test_a_district_that_is_named_is_told_without_delay_where_nothing_is_agreed(
    lived_in: District, said: Any, clock: FakeClock
) -> None:
    found = opened(said, clock, "--district", "south")
    assert (found["people"], found["due_at"]) == (0, clock.now().isoformat())
    assert found["not_told"] == ["south"]


def test_the_notice_says_what_it_must_goes_by_mail_and_its_delivery_is_told(
    lived_in: District, said: Any, clock: FakeClock, house: House
) -> None:
    made = opened(said, clock, "--element", "student_name.first_and_or_last", "--since", "2026-01-01T00:00:00+00:00")
    said("confirm", made["id"], "--at", clock.now().isoformat())
    told = said("notify", made["id"], "--delay-reason", "We had to be sure.")
    (message,) = told["districts"][0]["notices"][0]["messages"]
    assert (message["state"], told["not_told"]) == ("queued", [])
    with smtp.serving() as peer:
        sender = house.send_mail()
        sender._smtp_url = peer.url
        sender(str(lived_in.id), message["id"])
        (mail,) = peer.received
    text = mail.get_content()
    assert mail["To"] == OFFICE
    for part in (
        "A laptop was lost.", "student_name.first_and_or_last", "2026-01-01", "How many people: 3",
        "We had to be sure.", house.settings.base_url, made["id"],
    ):  # fmt: skip
        assert part in text
    assert said("show", made["id"])["districts"][0]["notices"][0]["messages"][0]["state"] == "sent"


def test_each_district_whose_people_are_touched_is_told_and_no_other(
    lived_in: District, said: Any, clock: FakeClock, house: House
) -> None:
    """The other one has a data office and a contract, too, and nobody whom this touches."""
    other = world.district(house, "west", terms=world.contract(house, more=TERMS))

    def mails(owner: District) -> int:
        with house.database.tenant(owner.id) as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM mail_message")).scalar_one())

    made = opened(said, clock, "--element", "student_name.first_and_or_last")
    assert (mails(lived_in), mails(other)) == (0, 0)
    told = said("notify", made["id"])
    assert [one["district"] for one in told["districts"]] == ["north"]
    assert told["not_told"] == []
    assert (mails(lived_in), mails(other)) == (1, 0)


def test_law_enforcement_holds_the_notice_back_until_the_day(lived_in: District, said: Any, clock: FakeClock) -> None:
    made = opened(said, clock)
    until = clock.now() + timedelta(days=2)
    said("delay", made["id"], "--until", until.isoformat(), "--reason", "Case 7")
    assert "asked to wait" in said("notify", made["id"], fails=True)["detail"]
    assert said("show", made["id"])["districts"][0]["notices"] == []
    clock.pass_s(2 * 86_400 + 1)
    assert said("notify", made["id"])["districts"][0]["notices"][0]["messages"]


def test_an_incident_is_listed_and_closed_and_its_history_is_in_the_sealed_log(
    lived_in: District, said: Any, clock: FakeClock, house: House
) -> None:
    made = opened(said, clock)
    said("notify", made["id"])
    said("close", made["id"])
    (listed,) = said("list")["incidents"]
    assert (listed["id"], listed["state"]) == (made["id"], "closed")
    with house.database.tenant(lived_in.id) as connection:
        acts = connection.execute(
            sa.text("SELECT act FROM log_entry WHERE object_id = :id ORDER BY id"), {"id": made["id"]}
        ).scalars()
        assert list(acts) == ["incident open", "incident notify", "incident close"]
    assert house.audit.verify([lived_in.id])[0].ok


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["show", "nobody-s"], "no such incident"),
        (["open", "--description", "x", "--discovered", "2126-01-01T00:00:00+00:00"], "lies ahead"),
        (["open", "--description", "x", "--discovered", "2026-01-01T00:00:00+00:00", "--element", "shoes"], "valid"),
        (["open", "--description", " ", "--discovered", "2026-01-01T00:00:00+00:00"], "not opened"),
        (["open", "--description", "x", "--discovered", "2026-01-01T00:00:00"], "offset"),
    ],
)
def test_what_is_no_incident_is_refused_in_words(
    lived_in: District, said: Any, arguments: list[str], word: str
) -> None:
    assert word in json.dumps(said(*arguments, fails=True))
