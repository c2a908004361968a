"""From a teacher's launch to a class that is full, and what the command line says of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import stamina
from flask import Flask

from lti_server.app import House, run_worker
from lti_server.cli import main, roster, section
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import MEMBERSHIP
from tests.peers.member_list import MemberList, listing

SERVICE = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def platform() -> Iterator[MemberList]:
    with listing(MemberList()) as found, stamina.set_testing(True, attempts=2, cap=True):
        yield found


@pytest.fixture
def school(house: House, platform: MemberList, district: District) -> MemberList:
    """A course of one teacher and three pupils, whose names the contract lets in."""
    platform.tool_jwks = house.tool_keys.public_jwks
    platform.courses["course-1"] = [
        {"user_id": "teacher-1", "roles": ["Instructor"], "name": "Tess Teacher"},
        *({"user_id": f"pupil-{i}", "roles": ["Learner"], "name": f"Pupil {i}"} for i in range(1, 4)),
    ]
    return platform


@pytest.fixture
def ask(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command on the house's database and read its JSON."""
    for module in (roster, section):
        monkeypatch.setattr(module, "open_house", lambda: house)

    def run(*arguments: str, exits: int = 0) -> dict[str, Any]:
        if exits:
            with pytest.raises(SystemExit) as stop:
                main([*arguments, "--json"])
            assert stop.value.code == exits
        else:
            main([*arguments, "--json"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    return run


def launch(app: Flask, school: MemberList, house: House, who: str, role: str, **said: object) -> None:
    service = {"context_memberships_url": school.url("course-1"), "service_versions": ["2.0"]}
    more = {"sub": who, "lti_roles": [MEMBERSHIP + role], SERVICE: service, **said}
    answer = world.launch(app.test_client(), school, house, **more)
    assert answer.status_code == 303, answer.text


@pytest.mark.parametrize(
    ("family", "stood"), [("moodle", ["teacher"]), ("sakai", ["teacher", "pupil", "teacher", "pupil"])]
)
def test_launch_and_list_do_not_undo_each_other_where_the_list_calls_assistants_learners(
    family: str, stood: list[str], house: House, district: District, app: Flask, school: MemberList, clock: FakeClock
) -> None:
    """Moodle's non-editing teachers; any other platform's list decides."""
    school.courses["course-1"].append({"user_id": "assistant-1", "roles": ["Learner"], "name": "Asif Assistant"})
    more = {"lti_tool_platform": {"product_family_code": family}}
    for _ in range(2):
        launch(app, school, house, "assistant-1", "Instructor", **more)
        clock.pass_s(1)
        house.sync_roster()(district)
        clock.pass_s(1)
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(
            sa.text(
                "SELECT role FROM membership WHERE person_id ="
                " (SELECT person_id FROM membership WHERE source = 'launch'"
                " LIMIT 1) ORDER BY started_at"
            )
        )
        assert [row.role for row in rows] == stood


def numbers(house: House, district: District, *tables: str) -> list[int]:
    with house.database.tenant(district.id) as connection:
        return [connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]


def jobs(house: House) -> int:
    with house.database.anyone() as connection:
        found = connection.execute(
            sa.text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'roster.sync_section'")
        ).scalar_one()
    assert isinstance(found, int)
    return found


def test_a_teacher_s_launch_brings_the_class_and_a_pupil_who_launches_later_is_the_same_person(
    app: Flask, house: House, district: District, school: MemberList
) -> None:
    launch(app, school, house, "teacher-1", "Instructor")
    run_worker(house, until_idle=True)
    assert numbers(house, district, "person", "identity", "membership") == [4, 4, 4]
    launch(app, school, house, "pupil-1", "Learner")
    assert numbers(house, district, "person", "identity", "membership") == [4, 4, 4]


def test_pupils_launches_ask_for_no_class_and_a_teacher_s_second_one_waits_for_the_first(
    app: Flask, house: House, district: District, school: MemberList
) -> None:
    launch(app, school, house, "pupil-1", "Learner")
    assert jobs(house) == 0
    launch(app, school, house, "teacher-1", "Instructor")
    launch(app, school, house, "teacher-1", "Instructor")
    assert jobs(house) == 1


def test_the_command_line_says_what_a_sync_did(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    launch(app, school, house, "pupil-1", "Learner")
    sync = ("roster", "sync", "--district", district.slug, "--provider", "lti")
    assert ask(*sync, "--dry-run")["state"] == "planned"
    found = ask(*sync)
    assert found["state"] == "applied"
    assert found["counts"]["memberships"] == {"added": 3, "changed": 0, "removed": 0, "unchanged": 1}
    assert found["counts"]["people"]["added"] == 3
    assert (found["holds"], found["refused_fields"]) == ([], {})
    assert ask("roster", "show", found["run_id"])["counts"] == found["counts"]
    assert [run["state"] for run in ask("roster", "runs", "--district", district.slug)["runs"]] == [
        "applied",
        "planned",
    ]
    assert ask(*sync)["counts"]["memberships"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 4}


def test_a_sync_that_fails_is_a_problem_document_and_exit_1(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    launch(app, school, house, "pupil-1", "Learner")
    school.refuse = {0: 500}
    found = ask("roster", "sync", "--district", district.slug, "--provider", "lti", exits=1)
    assert {"type", "title", "detail"} <= found.keys()
    assert found["state"] == "failed"
    assert ask("roster", "show", found["run_id"])["state"] == "failed"


def test_a_district_without_an_lms_is_told_so(house: House, school: MemberList, ask: Ask) -> None:
    bare = world.district(house, "bare")
    assert "platform add" in ask("roster", "sync", "--district", bare.slug, "--provider", "lti", exits=1)["detail"]


def test_sections_are_listed_with_counts_and_shown_with_names(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    launch(app, school, house, "teacher-1", "Instructor")
    ask("roster", "sync", "--district", district.slug, "--provider", "lti")
    (one,) = ask("section", "list", "--district", district.slug)["sections"]
    assert (one["name"], one["school"], one["source_id"]) == ("Class 5b", None, "course-1")
    assert (one["teachers"], one["pupils"]) == (1, 3)
    shown = ask("section", "show", one["id"])["members"]
    assert {(row["name"], row["role"]) for row in shown} == {
        ("Tess Teacher", "teacher"), ("Pupil 1", "pupil"), ("Pupil 2", "pupil"), ("Pupil 3", "pupil"),
    }  # fmt: skip


def test_names_that_the_contract_refuses_are_numbers_that_stay(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask, clock: FakeClock
) -> None:
    world.sign(house, district, world.contract(house, without=("student_name.first_and_or_last",)))
    launch(app, school, house, "teacher-1", "Instructor")
    sync = ("roster", "sync", "--district", district.slug, "--provider", "lti")
    assert ask(*sync)["refused_fields"] == {"full_name": 3}
    (one,) = ask("section", "list", "--district", district.slug)["sections"]
    shown = ask("section", "show", one["id"])["members"]
    clock.pass_s(60)
    assert {row["name"] for row in shown if row["role"] == "pupil"} <= {f"Learner {i}" for i in range(1, 5)}
    school.courses["course-1"].insert(1, {"user_id": "pupil-9", "roles": ["Learner"], "name": "Pupil 9"})
    ask(*sync)
    assert ask("section", "show", one["id"])["members"][:4] == shown


@pytest.mark.parametrize("wanted", ["no-id", "00000000-0000-0000-0000-000000000000"])
def test_an_id_that_opens_nothing_is_not_found(house: House, school: MemberList, ask: Ask, wanted: str) -> None:
    assert ask("roster", "show", wanted, exits=1)["title"] == "There is nothing here"
    assert ask("section", "show", wanted, exits=1)["title"] == "There is nothing here"
