"""A Canvas course with several sections is several classes here; where Canvas does not tell them, it is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.lti.course_sections import CUSTOM
from lti_server.privacy.districts import District
from tests.clock import FakeClock
from tests.functional.roster.courses import Ask, launch
from tests.functional.test_progress import attempt, post, token_of
from tests.peers.member_list import MemberList

CANVAS: dict[str, object] = {
    "https://purl.imsglobal.org/spec/lti/claim/tool_platform": {"guid": "g", "product_family_code": "canvas"}
}
SECTIONS = {"11": "Morning", "12": "Afternoon"}


def member(
    user_id: str, *sections: str, role: str = "Learner", custom: Mapping[str, object] | None = None
) -> dict[str, Any]:
    said = {"section_ids": ",".join(sections), "section_names": json.dumps([SECTIONS[one] for one in sections])}
    message = [{CUSTOM: {**said, **(custom or {})}}]
    return {"user_id": user_id, "roles": [role], "name": user_id.title(), "message": message}


TEACHER = member("teacher-1", "11", "12", role="Instructor")
DIVIDED = [TEACHER, member("pupil-1", "11"), member("pupil-2", "12"), member("pupil-3", "12")]
UNEXPANDED = {"section_ids": "$Canvas.course.sectionIds", "section_names": "$com.instructure.User.sectionNames"}


@pytest.fixture
def course(app: Flask, school: MemberList, house: House) -> MemberList:
    """The course has launched, and says that it is Canvas's."""
    school.courses["course-1"] = list(DIVIDED)
    launch(app, school, house, "teacher-1", "Instructor", **CANVAS)
    return school


def classes(ask: Ask) -> dict[str, tuple[int, int]]:
    """Teachers and pupils of each section, by its name."""
    found = ask("section", "list", "--district", "north")["sections"]
    return {one["name"]: (one["teachers"], one["pupils"]) for one in found}


def sync(ask: Ask) -> dict[str, Any]:
    return ask("roster", "sync", "--district", "north", "--provider", "lti")


def test_each_section_of_the_course_is_a_class_of_its_own(course: MemberList, ask: Ask) -> None:
    found = sync(ask)
    assert (found["state"], found["counts"]["sections"]["added"]) == ("applied", 2)
    assert course.asked[-1]["rlid"] == "course-1"
    assert classes(ask) == {"Class 5b: Morning": (1, 1), "Class 5b: Afternoon": (1, 2)}


def test_a_second_sync_changes_nothing(course: MemberList, ask: Ask) -> None:
    sync(ask)
    again = sync(ask)["counts"]
    assert again["memberships"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 5}
    assert again["sections"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 2}


def test_who_moves_to_another_section_is_moved_and_held_by_nobody(course: MemberList, ask: Ask) -> None:
    sync(ask)
    course.courses["course-1"] = [TEACHER, *(member(f"pupil-{i}", "11") for i in range(1, 4))]
    course.courses["course-1"].append(member("pupil-4", "12"))
    assert sync(ask)["state"] == "applied"
    assert classes(ask) == {"Class 5b: Morning": (1, 3), "Class 5b: Afternoon": (1, 1)}


@pytest.mark.parametrize("custom", [UNEXPANDED, {"section_ids": ""}], ids=["unexpanded", "missing"])
def test_where_one_members_sections_are_not_told_the_course_is_one_class_and_the_inspector_says_so(
    course: MemberList, ask: Ask, house: House, district: District, custom: dict[str, object]
) -> None:
    course.courses["course-1"][-1] = member("pupil-3", "12", custom=custom)
    assert sync(ask)["state"] == "applied"
    assert classes(ask) == {"Class 5b": (1, 3)}
    [platform] = house.registrations.every(district.id)
    told = house.inspector(platform.id).courses
    assert [one.name for one in told] == ["Class 5b"]
    assert "sections" in told[0].sentence


def test_a_divided_course_names_no_fault_in_the_inspector(
    course: MemberList, ask: Ask, house: House, district: District
) -> None:
    sync(ask)
    [platform] = house.registrations.every(district.id)
    assert house.inspector(platform.id).courses == ()


def test_a_course_is_put_together_again_and_nobody_loses_anything(
    course: MemberList, ask: Ask, house: House, district: District
) -> None:
    sync(ask)
    course.courses["course-1"] = [{**one, "message": []} for one in DIVIDED]
    assert sync(ask)["state"] == "applied"
    assert classes(ask) == {"Class 5b": (1, 3)}
    course.courses["course-1"] = list(DIVIDED)
    sync(ask)
    assert classes(ask) == {"Class 5b: Morning": (1, 1), "Class 5b: Afternoon": (1, 2)}
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one() == 4


def test_a_pupil_who_stands_in_a_section_launches_into_it(
    course: MemberList, ask: Ask, app: Flask, house: House
) -> None:
    sync(ask)
    launch(app, course, house, "pupil-2", "Learner", **CANVAS)
    assert classes(ask) == {"Class 5b: Morning": (1, 1), "Class 5b: Afternoon": (1, 2)}


def test_a_pupil_who_is_in_a_lesson_while_the_course_is_divided_goes_on_saving(
    course: MemberList, ask: Ask, app: Flask, house: House
) -> None:
    client = app.test_client()
    token = token_of(client, course, house, sub="pupil-2", **CANVAS)
    sync(ask)
    assert post(client, token, attempt(house)).get_json()["saved"] is True


def test_a_pupil_who_is_new_launches_into_the_section_that_the_launch_names(
    course: MemberList, ask: Ask, app: Flask, house: House
) -> None:
    sync(ask)
    custom = {"lesson_id": "message-in-bits", "section_ids": "11", "section_names": '["Morning"]'}
    launch(app, course, house, "pupil-9", "Learner", **CANVAS, lti_custom=custom)
    assert classes(ask) == {"Class 5b: Morning": (1, 2), "Class 5b: Afternoon": (1, 2)}


def test_a_course_whose_lms_refuses_to_tell_more_is_read_without(course: MemberList, ask: Ask) -> None:
    course.refuse_rlid = 400
    course.courses["course-1"] = [{**one, "message": []} for one in DIVIDED]
    assert sync(ask)["state"] == "applied"
    assert classes(ask) == {"Class 5b": (1, 3)}


def test_no_other_vendor_is_asked_for_sections(app: Flask, school: MemberList, house: House, ask: Ask) -> None:
    launch(app, school, house, "teacher-1", "Instructor")
    sync(ask)
    assert "rlid" not in school.asked[-1]


@pytest.fixture
def told(app: Flask, school: MemberList, house: House, ask: Ask) -> MemberList:
    school.changes = []
    school.courses["course-1"] += [
        {"user_id": f"pupil-{i}", "roles": ["Learner"], "name": f"Pupil {i}"} for i in range(4, 12)
    ]
    launch(app, school, house, "teacher-1", "Instructor")
    sync(ask)
    return school


def test_the_next_read_asks_for_changes_alone_and_absence_removes_nobody(told: MemberList, ask: Ask) -> None:
    told.courses["course-1"] = []
    assert sync(ask)["state"] == "applied"
    assert told.asked[-1]["Page"] == "Changes"
    assert list(classes(ask).values()) == [(1, 11)]


@pytest.mark.parametrize("status", ["Deleted", "Inactive"])
def test_who_is_told_to_have_gone_goes_and_who_is_new_comes(told: MemberList, ask: Ask, status: str) -> None:
    told.changes = [
        {"user_id": "pupil-1", "roles": ["Learner"], "status": status},
        {"user_id": "pupil-99", "roles": ["Learner"], "name": "New Pupil"},
    ]
    counts = sync(ask)["counts"]["memberships"]
    assert (counts["added"], counts["removed"]) == (1, 1)
    assert list(classes(ask).values()) == [(1, 11)]


def test_too_many_who_go_at_once_are_held_and_told_of_again(told: MemberList, ask: Ask) -> None:
    told.changes = [{"user_id": f"pupil-{i}", "roles": ["Learner"], "status": "Deleted"} for i in range(1, 9)]
    for _ in range(2):
        assert sync(ask)["state"] == "held"
    assert list(classes(ask).values()) == [(1, 11)]


def test_changes_that_cannot_be_read_are_made_good_by_the_whole_class(
    told: MemberList, ask: Ask, house: House, district: District
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE section SET differences_url = 'https://elsewhere.example/changes'"))
    assert sync(ask)["state"] == "applied"
    assert told.asked[-1]["Page"] != "Changes"


def test_once_a_day_the_whole_class_is_read(told: MemberList, ask: Ask, clock: FakeClock) -> None:
    clock.pass_s(86_401)
    sync(ask)
    assert told.asked[-1]["Page"] != "Changes"
