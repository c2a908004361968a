"""`lti-server grant`: what stands, what would be lost, and a revocation that runs to its end in the command."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.cli import grant as grant_commands
from lti_server.cli import main
from lti_server.privacy import log
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import Platform


@pytest.fixture
def command(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr(grant_commands, "open_house", lambda: house)

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()  # what was logged before
        try:
            main(["grant", *arguments, "--json"])
            ended = 0
        except SystemExit as stop:
            ended = int(stop.code or 0)
        out = capsys.readouterr().out
        assert ended == code, out
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    return run


@pytest.fixture
def grant(command: Any, district: District) -> str:
    (found,) = command("list", "--district", district.slug)["grants"]
    return str(found["id"])


def acts(house: House, district: District) -> dict[str, dict[str, Any]]:
    """What the log tells of grants: act to payload."""
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(sa.text("SELECT act, payload FROM log_entry WHERE act LIKE 'grant%'")).all()
    return {row.act: log.payload_of(district.keys, bytes(row.payload)) for row in rows}


def test_a_grant_has_the_keys_that_are_documented(command: Any, grant: str) -> None:
    found = command("show", grant)
    assert {"id", "state", "epoch", "provider", "population", "receipts", "signals"} <= set(found)
    assert (found["state"], found["epoch"], found["provider"], found["population"]) == ("active", 1, "lti", "all")


def test_revoking_ends_the_way_in_and_gives_a_receipt(
    command: Any, grant: str, app: Flask, house: House, district: District, platform: Platform
) -> None:
    assert world.launch(app.test_client(), platform, house).status_code == 303
    begun = world.begin(app.test_client(), platform)
    found = command("revoke", grant, "--reason", "the contract has ended")
    assert (found["state"], found["epoch"]) == ("revoked", 2)
    (receipt,) = found["receipts"]
    assert receipt["acknowledged_at"] is not None
    parts = {part["participant"]: part["did"] for part in receipt["parts"]}
    assert parts["sign-in"]["sessions"] == parts["roster"]["memberships"] == 1
    claims = platform.claims(begun.nonce, house.clock.now())
    answer = app.test_client().post("/lti/launch", data={"id_token": platform.sign(claims), "state": begun.state})
    assert answer.status_code in (400, 403)
    assert acts(house, district)["grant revoke"]["reason"] == "the contract has ended"


def test_what_would_be_lost_is_shown_and_nothing_changed(
    command: Any, grant: str, app: Flask, house: House, platform: Platform
) -> None:
    world.launch(app.test_client(), platform, house)
    found = command("revoke", grant, "--dry-run")
    assert found["would_lose"]["pupils"] == found["would_lose"]["sessions"] == 1
    assert (found["state"], found["epoch"], found["receipts"]) == ("active", 1, [])


def test_a_suspended_grant_opens_nothing_until_it_is_resumed(
    command: Any, grant: str, app: Flask, house: House, platform: Platform
) -> None:
    assert command("suspend", grant, "--reason", "an audit")["state"] == "suspended"
    assert world.launch(app.test_client(), platform, house).status_code == 403
    assert command("resume", grant)["state"] == "active"
    assert world.launch(app.test_client(), platform, house).status_code == 303


def test_withdrawing_sign_in_alone_refuses_launches(
    command: Any, grant: str, app: Flask, house: House, platform: Platform
) -> None:
    found = command("revoke", grant, "--use", "signin", "--reason", "rosters alone")
    assert (found["state"], found["uses"]) == ("active", ["roster"])
    assert world.launch(app.test_client(), platform, house).status_code == 403


def test_withdrawing_the_roster_alone_leaves_sessions_and_launches(
    command: Any, grant: str, app: Flask, house: House, district: District, platform: Platform
) -> None:
    ticket = world.launch(app.test_client(), platform, house)
    assert command("revoke", grant, "--use", "roster", "--reason", "launches alone")["uses"] == ["signin"]
    assert app.test_client().get(ticket.location).status_code == 200
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM session WHERE ended_at IS NULL")).scalar_one() == 1
    assert world.launch(app.test_client(), platform, house).status_code == 303


def test_revoking_wants_a_reason(grant: str, command: Any) -> None:
    assert "reason" in command("revoke", grant, code=2)["detail"]


@pytest.mark.parametrize("given", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_grant_is_a_problem_document(command: Any, given: str) -> None:
    for act in (("show",), ("suspend",), ("resume",), ("revoke", "--reason", "x")):
        assert command(act[0], given, *act[1:], code=1)["title"] == "There is nothing here"


def test_resuming_what_is_not_suspended_says_so(command: Any, grant: str) -> None:
    assert "not suspended" in command("resume", grant, code=1)["detail"]


COURSES = {
    name: {
        "lti_context": {"id": name, "title": name, "type": ["CourseSection"]},
        "lti_resource_link": {"id": f"link-{name}", "title": "A lesson"},
        "sub": f"pupil-{name}",
    }
    for name in ("course-1", "course-2", "course-3")
}


def test_narrowing_lets_the_class_that_stays_launch_and_nobody_else(
    command: Any, grant: str, app: Flask, house: House, district: District, platform: Platform
) -> None:
    tickets = {}
    for name in ("course-1", "course-2"):
        tickets[name] = world.launch(app.test_client(), platform, house, **COURSES[name]).location
    with house.database.tenant(district.id) as connection:
        found = connection.execute(sa.text("SELECT source_id, id FROM section")).all()
    kept = str({row.source_id: row.id for row in found}["course-1"])
    told = command("narrow", grant, "--section", kept, "--dry-run")
    assert told["would_end"] == {"pupil_memberships": 1, "teacher_memberships": 0, "sections": 1}
    assert (told["epoch"], told["sections"]) == (1, None)
    told = command("narrow", grant, "--section", kept, "--reason", "one class alone")
    assert (told["state"], told["epoch"], told["population"], told["sections"]) == ("active", 2, "sections", [kept])
    assert told["receipts"][0]["acknowledged_at"] is not None
    assert app.test_client().get(tickets["course-1"]).status_code == 200
    assert 'id="launch-context"' not in app.test_client().get(tickets["course-2"]).text
    for name, status in (("course-1", 303), ("course-2", 403), ("course-3", 403)):
        assert world.launch(app.test_client(), platform, house, **COURSES[name]).status_code == status, name
    assert acts(house, district)["grant narrow"]["sections"] == [kept]


def test_narrowing_to_what_nobody_knows_is_refused(command: Any, grant: str) -> None:
    for option, value in (("--section", "nonsense"), ("--school", "No such school"), ("--grade", "5")):
        found = command("narrow", grant, option, value, "--reason", "x", code=1)
        assert found["title"] == "The request is not valid"
    assert command("narrow", grant, "--reason", "x", code=1)["title"] == "The request is not valid"
