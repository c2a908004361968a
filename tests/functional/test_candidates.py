"""An administrator sees who may be one, decides with a reason, and can take it back; a hint alone does nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.ids import PersonId, new_id
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.test_log_page import signed_in
from tests.functional.test_shared_id import LIS, ROLES, TEACHER
from tests.functional.test_staff_access import Staff, entries
from tests.peers.bare_platform import Platform


@pytest.fixture
def staff(app: Flask, house: House, district: District) -> Staff:
    found = Staff(signed_in(app, house, StaffRole.DATA_STEWARD, district))
    found.says_why()
    return found


def comes(app: Flask, platform: Platform, house: House, sub: str, **claims: object) -> None:
    """Somebody launches once."""
    assert world.launch(app.test_client(), platform, house, **{"sub": sub, **claims}).status_code == 303


def people(house: House, district: District) -> list[PersonId]:
    with house.database.tenant(district.id) as connection:
        found = connection.execute(sa.text("SELECT id FROM person WHERE merged_into IS NULL ORDER BY created_at, id"))
        return [PersonId(row.id) for row in found]


@pytest.fixture
def two(app: Flask, platform: Platform, house: House, district: District, clock: FakeClock) -> list[PersonId]:
    """Two pupils of one LMS with one student number and one name."""
    for sub in ("one", "two"):
        comes(app, platform, house, sub, name="Ada Lovelace", **{LIS: {"person_sourcedid": "4711"}})
        clock.pass_s(1)
    return people(house, district)


def test_two_with_one_number_are_shown_and_nothing_is_done(
    staff: Staff, house: House, district: District, two: list[PersonId]
) -> None:
    page = staff.browser.get("/district/people/same").text
    assert page.count("Ada Lovelace") >= 2
    assert "the same student number" in page
    assert people(house, district) == two
    shown = [one for one in entries(house, district) if one.act == "person found"]
    assert {one.object_id for one in shown} == set(two)


def test_an_equal_name_is_a_hint_on_a_persons_own_page(
    app: Flask, staff: Staff, platform: Platform, house: House, district: District
) -> None:
    for sub, name in (("one", "Ada Lovelace"), ("two", "ADA LOVELACE"), ("three", "Ada Lovelace-King")):
        comes(app, platform, house, sub, name=name)
    one = people(house, district)[0]
    assert "the same name" not in staff.browser.get("/district/people/same").text
    page = staff.browser.get(f"/district/people/{one}/same").text
    assert "ADA LOVELACE" in page
    assert "the same name" in page
    assert "King" not in page


def test_a_pupils_e_mail_hints_to_nobody_and_a_teachers_does(
    app: Flask, staff: Staff, platform: Platform, house: House, district: District
) -> None:
    more = f"  student_contact.email: {world.SCHOOL}\neducator_elements: [name, identifier, email]"
    world.sign(house, district, world.contract(house, more=more))
    for sub in ("one", "two"):
        comes(app, platform, house, sub, name=f"Pupil {sub}", email="shared@school.example")
    page = staff.browser.get("/district/people/same").text
    assert "Pupil one" not in page
    assert "e-mail" not in page
    for sub in ("three", "four"):
        comes(app, platform, house, sub, name=f"Teacher {sub}", email="desk@school.example", **{ROLES: [TEACHER]})
    page = staff.browser.get("/district/people/same").text
    assert "the same e-mail address" in page
    assert "Teacher three" in page
    assert "desk@school.example" not in page


def test_what_merging_would_do_is_shown_first_then_done_with_the_reason_and_taken_back(
    staff: Staff, house: House, district: District, two: list[PersonId]
) -> None:
    one, other = two
    shown = staff.post(f"/{one}/compare", other=str(other))
    assert shown.status_code == 200
    assert "Are they one person?" in shown.text
    assert people(house, district) == two
    assert staff.post(f"/{one}/merge", other=str(other)).status_code == 303
    assert people(house, district) == [one]
    merged = [row for row in entries(house, district) if row.act == "person merge"]
    assert {row.object_id for row in merged} == {one, other}
    assert {row.actor.partition(":")[0] for row in merged} == {"session"}
    page = staff.browser.get("/district/people/same").text
    assert "an administrator decided it" in page
    with house.database.tenant(district.id) as connection:
        merge_id = connection.execute(sa.text("SELECT id FROM merge_ledger")).scalar_one()
    assert staff.post(f"/merges/{merge_id}/undo").status_code == 303
    assert people(house, district) == two
    assert staff.post(f"/merges/{merge_id}/undo").status_code == 409


def test_without_a_reason_nothing_is_shown_or_done(
    app: Flask, house: House, district: District, two: list[PersonId]
) -> None:
    silent = Staff(signed_in(app, house, StaffRole.DISTRICT_ADMIN, district))
    one, other = two
    assert silent.browser.get("/district/people/same").status_code == 403
    assert silent.browser.get(f"/district/people/{one}/same").status_code == 403
    for act in ("compare", "merge"):
        assert silent.post(f"/{one}/{act}", other=str(other)).status_code == 403
    assert people(house, district) == two


@pytest.mark.parametrize("role", [StaffRole.TEACHER, StaffRole.SCHOOL_ADMIN, StaffRole.EVALUATOR])
def test_whoever_answers_no_requests_merges_nobody(
    app: Flask, house: House, district: District, role: StaffRole
) -> None:
    browser: FlaskClient = signed_in(app, house, role, district)
    assert browser.get("/district/people/same").status_code == 403


def test_a_pupil_and_a_teacher_are_not_merged_by_an_administrator_either(
    app: Flask, staff: Staff, platform: Platform, house: House, district: District
) -> None:
    number = {LIS: {"person_sourcedid": "4711"}}
    comes(app, platform, house, "one", **number)
    comes(app, platform, house, "two", **number, **{ROLES: [TEACHER]})
    one, other = people(house, district)
    assert "the same student number" not in staff.browser.get("/district/people/same").text
    for act in ("compare", "merge"):
        assert staff.post(f"/{one}/{act}", other=str(other)).status_code == 409
        assert staff.post(f"/{other}/{act}", other=str(one)).status_code == 409
    assert people(house, district) == [one, other]


def test_nobodys_id_is_refused_without_a_word_of_anybody(staff: Staff, two: list[PersonId]) -> None:
    assert staff.post(f"/{two[0]}/compare", other=str(new_id())).status_code == 404
    assert staff.post(f"/{two[0]}/compare", other="x").status_code == 422
    assert staff.browser.get(f"/district/people/{new_id()}/same").status_code == 404
