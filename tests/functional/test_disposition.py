"""A directive for disposition (Exhibit D): its day by contract, what goes and what stays, and a certificate."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House, build_house
from lti_server.cli import disposition as disposition_commands
from lti_server.cli import main
from lti_server.errors import Conflict, ContractForbids, InvalidInput, NotFound
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from lti_server.privacy.signed_documents import checked, public_keys
from tests import world
from tests.clock import FakeClock
from tests.functional.disposition_days import DAY_S, LIMIT, district
from tests.functional.test_inspector import signed_in
from tests.peers.bare_platform import Platform

__all__ = ["district"]


@pytest.fixture
def revoked(house: House, district: District, app: Flask, platform: Platform) -> Registered:
    (found,) = house.registrations.every(district.id)
    for name in ("pupil-1", "pupil-2"):
        assert world.launch(app.test_client(), platform, house, sub=name).status_code == 303
    house.grants.withdraw.begin(district.id, found.grant_id, by="test", reason="over")
    assert house.grants.withdraw.finish(district.id, found.grant_id)
    return found


def one(house: House, district: District, statement: str) -> Any:
    with house.database.tenant(district.id) as connection:
        return connection.execute(sa.text(statement)).scalar_one()


def keys_left(house: House, district: District) -> int:
    return int(one(house, district, "SELECT count(*) FROM person WHERE wrapped_key IS NOT NULL"))


def state(house: House, district: District) -> str:
    return str(one(house, district, "SELECT state FROM grants"))


def test_its_day_and_clause_are_those_of_the_contract(house: House, district: District, revoked: Registered) -> None:
    found = house.rights.dispose.request(district.id, revoked.grant_id, by="test")
    today = house.clock.now().date()
    assert (found.due_on, found.days, found.clause) == (today + timedelta(days=60), 60, "Art. IV 6")
    assert found.state == "waiting"


def test_a_contract_without_the_number_refuses_and_says_what_to_do(house: House, platform: Platform) -> None:
    bare = world.district(house, "bare")
    with pytest.raises(ContractForbids, match="disposition_days"):
        house.rights.dispose.request(bare.id, None, by="test")


def test_a_day_after_the_contracts_last_one_is_refused(house: House, district: District, revoked: Registered) -> None:
    today = house.clock.now().date()
    for due in (today + timedelta(days=61), today - timedelta(days=1)):
        with pytest.raises(InvalidInput):
            house.rights.dispose.request(district.id, revoked.grant_id, by="test", due=due)


def test_what_is_in_force_is_not_disposed_of(house: House, district: District) -> None:
    (found,) = house.registrations.every(district.id)
    for part in (found.grant_id, None):
        with pytest.raises(Conflict, match=r"[Rr]evoke"):
            house.rights.dispose.request(district.id, part, by="test")


def test_nothing_goes_before_its_day_and_everything_on_it(
    house: House, district: District, revoked: Registered, clock: FakeClock
) -> None:
    made = house.rights.dispose.request(
        district.id, revoked.grant_id, by="test", due=house.clock.now().date() + timedelta(days=10)
    )
    clock.pass_s(9 * DAY_S)
    house.sweep()
    assert keys_left(house, district) == 2
    clock.pass_s(DAY_S)
    house.sweep()
    assert keys_left(house, district) == 0
    assert state(house, district) == "disposed"
    assert one(house, district, "SELECT count(*) FROM person_field") == 0
    assert one(house, district, "SELECT count(*) FROM identity WHERE subject IS NOT NULL") == 0
    assert one(house, district, "SELECT count(*) FROM section WHERE name <> ''") == 0
    with house.database.tenant(district.id) as connection:
        (found,) = house.rights.dispose.every(connection)
    assert (found.id, found.state, found.did["people"]) == (made.id, "done", 2)


def test_what_a_revoked_grant_has_left_goes_on_the_contracts_day_though_nobody_asked(
    house: House, district: District, revoked: Registered, clock: FakeClock
) -> None:
    clock.pass_s(59 * DAY_S)
    house.sweep()
    assert (keys_left(house, district), state(house, district)) == (2, "revoked")
    clock.pass_s(DAY_S)
    house.sweep()
    assert (keys_left(house, district), state(house, district)) == (0, "disposed")
    with house.database.tenant(district.id) as connection:
        (found,) = house.rights.dispose.every(connection)
    assert (found.asked_by, found.clause, found.days) == ("contract", "Art. IV 6", 60)


def test_whom_another_grant_supports_stays(
    house: House, district: District, revoked: Registered, platform: Platform, app: Flask
) -> None:
    new = world.register(house, district, platform)
    assert house.grants.adopt(district.id, revoked.grant_id, new.grant_id, by="test", reason="same").identities == 2
    assert world.launch(app.test_client(), platform, house, sub="pupil-1").status_code == 303
    made = house.rights.dispose.request(district.id, revoked.grant_id, by="test")
    found = house.rights.dispose.run(district.id, made.id)
    assert (found.state, found.did["people"]) == ("done", 0)
    assert keys_left(house, district) == 2
    assert one(house, district, "SELECT count(DISTINCT person_id) FROM person_field") == 1


def test_the_certificate_is_checked_anywhere_and_never_changes(
    house: House, district: District, revoked: Registered, clock: FakeClock, database_url: str
) -> None:
    made = house.rights.dispose.request(district.id, revoked.grant_id, by="test")
    with pytest.raises(Conflict):
        house.rights.dispose.certificate(district.id, made.id)
    house.rights.dispose.run(district.id, made.id)
    file = house.rights.dispose.certificate(district.id, made.id)
    said = checked(file, public_keys(house.document_keys.public_jwks()))
    assert (said.kind, said.body["clause"]) == ("disposition-certificate", "Art. IV 6")
    assert said.body["did"]["people"] == 2
    clock.pass_s(3600)
    house.rights.dispose.run(district.id, made.id)
    assert house.rights.dispose.certificate(district.id, made.id) == file
    with psycopg.connect(database_url, autocommit=True) as owner, pytest.raises(psycopg.Error, match="stays"):
        owner.execute("UPDATE disposition SET did = '{}'")


@pytest.mark.parametrize("days", [35, 0, None])
def test_the_certificate_says_by_which_day_no_backup_has_it_as_was_stated_when_it_went(
    house: House, district: District, revoked: Registered, clock: FakeClock, database_url: str, days: int | None
) -> None:
    then = build_house(dataclasses.replace(house.settings, backup_days=days), database_url, clock)
    later = build_house(dataclasses.replace(house.settings, backup_days=1), database_url, clock)
    try:
        made = then.rights.dispose.request(district.id, revoked.grant_id, by="test")
        then.rights.dispose.run(district.id, made.id)
        file = later.rights.dispose.certificate(district.id, made.id)
    finally:
        then.database.dispose()
        later.database.dispose()
    said = checked(file, public_keys(house.document_keys.public_jwks())).body["backups_until"]
    assert said == (None if days is None else (clock.now() + timedelta(days=days)).date().isoformat())


def test_one_that_fails_says_so_and_is_tried_again(
    house: House, district: District, revoked: Registered, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.rights.dispose.request(district.id, revoked.grant_id, by="test", due=house.clock.now().date())

    def fails(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(house.rights.dispose, "_erase", fails)
        house.sweep()
        assert state(house, district) == "disposal_error"
        assert one(house, district, "SELECT state FROM disposition") == "failed"
    house.sweep()
    assert (state(house, district), keys_left(house, district)) == ("disposed", 0)


def test_it_is_asked_for_once_and_by_whom_it_concerns(house: House, district: District, revoked: Registered) -> None:
    house.rights.dispose.request(district.id, revoked.grant_id, by="test")
    with pytest.raises(Conflict, match="already"):
        house.rights.dispose.request(district.id, revoked.grant_id, by="test")
    south = world.district(house, "south", terms=world.contract(house, more=LIMIT))
    with pytest.raises(NotFound):
        house.rights.dispose.request(south.id, revoked.grant_id, by="test")


def test_the_commands_give_back_destroy_and_certify(
    house: House, district: District, revoked: Registered, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(disposition_commands, "open_house", lambda: house)

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        try:
            main(["disposition", *arguments, "--json"])
            ended = 0
        except SystemExit as stop:
            ended = int(stop.code or 0)
        out = capsys.readouterr().out
        assert ended == code, out
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    part = ("--district", district.slug, "--part", str(revoked.grant_id))
    assert run("request", *part, "--dry-run")["would"]["people"] == 2
    assert keys_left(house, district) == 2
    folder = tmp_path / "returned"
    made = run("request", *part, "--return", str(folder))
    assert (made["files"], made["returned"], made["state"]) == (2, True, "waiting")
    given = [json.loads(file.read_text(encoding="utf-8")) for file in folder.iterdir()]
    assert len(given) == 2
    assert "Amina" in json.dumps(given)
    assert run("request", *part, "--return", str(folder), code=1)["title"]
    assert run("run", "--district", district.slug)["ran"] == []
    (ran,) = run("run", "--district", district.slug, "--now", made["id"])["ran"]
    assert ran["state"] == "done"
    assert keys_left(house, district) == 0
    out = tmp_path / "certificate.json"
    run("certificate", made["id"], "--district", district.slug, "--out", str(out))
    assert checked(out.read_bytes(), public_keys(house.document_keys.public_jwks())).body["returned"] is True
    assert [one["state"] for one in run("list", "--district", district.slug)["dispositions"]] == ["done"]


def test_the_page_lists_what_went_with_its_certificate(
    house: House, district: District, revoked: Registered, app: Flask
) -> None:
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    assert "Nothing was asked for" in admin.get("/district/dispositions").text
    made = house.rights.dispose.request(district.id, revoked.grant_id, by="test")
    assert "waits for its day" in admin.get("/district/dispositions").text
    assert admin.get(f"/district/dispositions/{made.id}/certificate").status_code == 409
    house.rights.dispose.run(district.id, made.id)
    page = admin.get("/district/dispositions").text
    assert "people erased" in page
    assert "Art. IV 6" in page
    assert "not stated by whoever runs this server" in page
    file = admin.get(f"/district/dispositions/{made.id}/certificate").data
    assert file == house.rights.dispose.certificate(district.id, made.id)
    other = signed_in(app, house, StaffRole.DISTRICT_ADMIN, world.district(house, "south"))
    assert other.get(f"/district/dispositions/{made.id}/certificate").status_code == 404
    assert app.test_client().get("/district/dispositions").status_code == 401
    assert signed_in(app, house, StaffRole.TEACHER, district).get("/district/dispositions").status_code == 403


def test_a_disposition_whose_day_is_over_is_overdue_until_it_is_done(
    house: House, district: District, revoked: Registered, app: Flask, clock: FakeClock
) -> None:
    made = house.rights.dispose.request(district.id, revoked.grant_id, by="test")

    def overdue() -> bool:
        with house.database.tenant(district.id) as connection:
            (found,) = house.rights.dispose.every(connection)
        return found.overdue

    assert not overdue()
    clock.pass_s(61 * DAY_S)
    assert overdue()
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    assert "overdue" in admin.get("/district/dispositions").text
    house.rights.dispose.run(district.id, made.id)
    assert not overdue()
