"""From a teacher's launch to a class that is full, and what the command line says of it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House, run_worker
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.roster.courses import Ask, launch
from tests.peers.member_list import MemberList


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
