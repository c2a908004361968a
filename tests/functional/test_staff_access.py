"""Staff looks at people with a reason, for half an hour, and whoever was looked at may read it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.db import enter
from lti_server.errors import NotAllowed
from lti_server.ids import PersonId, SessionId
from lti_server.privacy import log_reading
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.test_log_page import signed_in
from tests.peers.bare_platform import Platform

WORDS = "A guardian asked on the telephone."
PERSON = re.compile(r"/district/people/([0-9a-f-]{36})")


class Staff:
    """One member of a district's staff, and forms."""

    def __init__(self, browser: FlaskClient) -> None:
        self.browser = browser

    def post(self, path: str = "", **form: str) -> TestResponse:
        page = self.browser.get("/district/people").text
        token = re.search('name="csrf_token" value="([^"]+)"', page)
        assert token
        return self.browser.post(f"/district/people{path}", data={"csrf_token": token[1], **form})

    def says_why(self, why: str = "request", words: str = WORDS) -> TestResponse:
        return self.post("/access", why=why, words=words)

    def finds(self, text: str) -> list[str]:
        answer = self.post("/search", text=text)
        assert answer.status_code == 200
        return PERSON.findall(answer.text)


@pytest.fixture
def staff(app: Flask, house: House, district: District) -> Staff:
    return Staff(signed_in(app, house, StaffRole.DISTRICT_ADMIN, district))


@pytest.fixture
def pupil(client: FlaskClient, house: House, district: District, platform: Platform) -> PersonId:
    """Somebody who has launched, and is called Amina here."""
    world.launch(client, platform, house)
    return only(house, district)


def only(house: House, district: District) -> PersonId:
    with house.database.tenant(district.id) as connection:
        return PersonId(connection.execute(sa.text("SELECT id FROM person")).scalar_one())


def entries(house: House, district: District) -> list[Any]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text("SELECT * FROM log_entry ORDER BY id")).all())


def told(house: House, district: District, person_id: PersonId) -> list[log_reading.Logged]:
    """What the person may read of the log."""
    with house.database.tenant(district.id) as connection:
        keys = house.entered(connection).keys
        wrapped = connection.execute(sa.text("SELECT wrapped_key FROM person")).scalar_one()
        key = None if wrapped is None else keys.person_key(person_id, bytes(wrapped))
        return list(log_reading.entries_about(connection, keys, person_id, person_key=key).items)


def test_without_a_reason_nothing_of_anybody_is_shown_whoever_is_asked_for(staff: Staff, pupil: PersonId) -> None:
    answers = [staff.browser.get(f"/district/people/{pupil}"), staff.post("/search", text="Amina")]
    answers += [staff.post(f"/{pupil}/{act}", act="erase") for act in ("export", "preview", "act")]
    assert {one.status_code for one in answers} == {403}
    assert not [one for one in answers if "Amina" in one.text]
    nobody = staff.browser.get("/district/people/00000000-0000-4000-8000-000000000000")
    assert nobody.status_code == 403


@pytest.mark.parametrize(
    ("why", "words"), [("request", " "), ("curiosity", WORDS), ("", WORDS), ("request", "x" * 201)]
)
def test_a_reason_that_is_none_opens_nothing_and_is_not_echoed(
    staff: Staff, pupil: PersonId, why: str, words: str
) -> None:
    refused = staff.says_why(why, words)
    assert refused.status_code == 422
    assert WORDS not in refused.text
    assert staff.browser.get(f"/district/people/{pupil}").status_code == 403


def test_with_a_reason_a_pupil_is_found_and_each_look_is_in_the_log_that_the_pupil_reads(
    staff: Staff, pupil: PersonId, house: House, district: District
) -> None:
    assert staff.says_why().status_code == 303
    assert staff.finds("amina") == [str(pupil)]
    assert "Amina" in staff.browser.get(f"/district/people/{pupil}").text
    seen = {one.act: one for one in told(house, district, pupil)}
    for act in ("person found", "person show"):
        assert seen[act].words == f"request: {WORDS}"
        assert (seen[act].purpose, seen[act].interest) == ("operation", "school_official")
    with house.database.tenant(district.id) as connection:
        page = log_reading.read_log(connection, house.entered(connection).keys, log_reading.Wanted(act="person show"))
    assert page.items[0].details["reason"] == "request"
    assert WORDS not in str(page)


def test_a_danger_is_logged_as_that_interest(staff: Staff, pupil: PersonId, house: House, district: District) -> None:
    staff.says_why("safety")
    staff.browser.get(f"/district/people/{pupil}")
    assert next(one for one in told(house, district, pupil) if one.act == "person show").interest == "safety"


def test_after_half_an_hour_the_reason_is_asked_anew(staff: Staff, pupil: PersonId, clock: FakeClock) -> None:
    staff.says_why()
    clock.pass_s(30 * 60 - 1)
    assert "Amina" in staff.browser.get(f"/district/people/{pupil}").text
    clock.pass_s(2)
    asked = staff.browser.get(f"/district/people/{pupil}")
    assert asked.status_code == 403
    assert 'name="words"' in asked.text
    assert "Amina" not in asked.text
    assert staff.post(f"/{pupil}/export").status_code == 403


def test_what_one_said_opens_nothing_for_another(
    app: Flask, staff: Staff, pupil: PersonId, house: House, district: District
) -> None:
    staff.says_why()
    colleague = Staff(signed_in(app, house, StaffRole.DISTRICT_ADMIN, district))
    assert colleague.browser.get(f"/district/people/{pupil}").status_code == 403
    staff.post("/end")
    assert staff.browser.get(f"/district/people/{pupil}").status_code == 403


def test_support_sees_a_pupil_while_the_case_is_open_and_nothing_of_anybody_once_it_is_ended(
    staff: Staff, pupil: PersonId, house: House, district: District
) -> None:
    staff.says_why("support", "A pupil cannot open the lesson.")
    assert staff.finds("amina") == [str(pupil)]
    assert "Amina" in staff.browser.get(f"/district/people/{pupil}").text
    looks = len(told(house, district, pupil))
    assert staff.post("/end").status_code == 303
    after = [staff.browser.get(f"/district/people/{pupil}"), staff.post("/search", text="Amina")]
    after += [staff.post(f"/{pupil}/{step}", act="block") for step in ("export", "preview", "act")]
    assert {one.status_code for one in after} == {403}
    assert not [one for one in after if "Amina" in one.text]
    assert len(told(house, district, pupil)) == looks
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM staff_access")).scalar_one() == 0


@pytest.mark.parametrize("role", [StaffRole.SCHOOL_ADMIN, StaffRole.TEACHER, StaffRole.EVALUATOR, StaffRole.OPERATOR])
def test_a_narrower_role_is_told_the_same_of_a_pupil_who_is_here_and_of_nobody(
    app: Flask, pupil: PersonId, house: House, district: District, role: StaffRole
) -> None:
    browser = signed_in(app, house, role, None if role is StaffRole.OPERATOR else district)
    json = {"Accept": "application/problem+json"}
    answers = [
        browser.get(f"/district/people/{one}", headers=json).get_json()
        for one in (pupil, "00000000-0000-4000-8000-000000000000")
    ]
    assert {one["status"] for one in answers} == {403}
    assert len({str({**one, "id": "", "instance": ""}) for one in answers}) == 1


def test_of_a_pupil_s_e_mail_nothing_is_found_shown_exported_or_logged(
    staff: Staff, client: FlaskClient, house: House, district: District, platform: Platform
) -> None:
    terms = f"  student_contact.email: {world.SCHOOL}"
    world.sign(house, district, world.contract(house, more=terms))
    world.launch(client, platform, house, email="amina@pupils.example")
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person_field WHERE field = 'email'")).scalar_one() == 1
    person_id = only(house, district)
    staff.says_why()
    assert staff.finds("amina@pupils.example") == []
    shown = staff.browser.get(f"/district/people/{person_id}").text
    export = staff.post(f"/{person_id}/export")
    assert export.status_code == 200
    for text in (shown, export.text):
        assert "pupils.example" not in text
        assert "student_contact.email" not in text
    looks = [one for one in entries(house, district) if one.act in ("person show", "person export")]
    assert looks
    assert not [one for one in looks if "student_contact.email" in one.elements]


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/search", {"text": "x"}, "Écrivez de 2 à 200 caractères"),
        ("/access", {"why": "request", "words": "x" * 201}, "Dites-le en 200 caractères au plus."),
        ("/access", {"why": "request", "words": " "}, "Dites en 500 caractères au plus"),
    ],
)
def test_a_refusal_with_a_number_is_in_the_reader_s_language(
    staff: Staff, path: str, form: dict[str, str], said: str
) -> None:
    staff.says_why()
    assert said in staff.post(f"{path}?lang=fr", **form).text


def test_what_is_searched_for_rests_nowhere(staff: Staff, pupil: PersonId, house: House, district: District) -> None:
    staff.says_why()
    staff.finds("Zebulon Unheard")
    with house.database.tenant(district.id) as connection:
        page = log_reading.read_log(connection, house.entered(connection).keys, log_reading.Wanted())
    assert "people search" in {one.act for one in page.items}
    assert "Zebulon" not in str(page)


def test_nothing_is_done_at_the_preview_and_the_correction_stands_after_it(
    staff: Staff, pupil: PersonId, house: House, district: District
) -> None:
    staff.says_why()
    form = {"act": "correct", "field": "given_name", "value": "Aminata"}
    previewed = staff.post(f"/{pupil}/preview", **form)
    assert "Aminata" in previewed.text
    assert staff.finds("aminata") == []
    assert staff.post(f"/{pupil}/act", **form).status_code == 200
    assert staff.finds("aminata") == [str(pupil)]
    assert next(one for one in told(house, district, pupil) if one.act == "person correct").words


def test_a_restriction_is_set_and_lifted(staff: Staff, pupil: PersonId, house: House, district: District) -> None:
    staff.says_why()
    for act, stands in (("restrict", 1), ("lift", 0)):
        assert staff.post(f"/{pupil}/act", act=act, recipients="gradebook").status_code == 200
        with house.database.tenant(district.id) as connection:
            found = connection.execute(sa.text("SELECT count(*) FROM disclosure_restriction")).scalar_one()
        assert found == stands


def test_a_block_and_an_erasure_are_done_by_the_same_services_and_leave_a_receipt(
    staff: Staff, pupil: PersonId, house: House, district: District
) -> None:
    staff.says_why()
    assert staff.post(f"/{pupil}/act", act="block").status_code == 200
    with house.database.tenant(district.id) as connection:
        assert len(house.rights.blocks.every(connection)) == 1
    assert "Amina" in staff.post(f"/{pupil}/preview", act="erase").text
    assert staff.post(f"/{pupil}/act", act="erase", keeps_grades="yes").status_code == 200
    assert staff.finds("amina") == []
    assert "Amina" not in staff.browser.get(f"/district/people/{pupil}").text
    receipt = staff.browser.get(f"/district/people/{pupil}/receipt").get_json()
    assert str(pupil) in str(receipt["document"])


@pytest.mark.parametrize(
    "form",
    [{"act": "sell"}, {"act": "correct", "field": "email", "value": "Amina"}, {"act": "restrict", "recipients": "all"},
     {"act": "correct", "field": "name", "value": " "}, {}],
)  # fmt: skip
def test_an_act_that_is_none_is_refused_and_echoes_nothing(staff: Staff, pupil: PersonId, form: dict[str, str]) -> None:
    staff.says_why()
    refused = staff.post(f"/{pupil}/act", **form)
    assert refused.status_code == 422
    assert "Amina" not in refused.text


def test_the_words_of_a_reason_are_encrypted_and_go_when_it_has_expired(
    staff: Staff, pupil: PersonId, house: House, district: District, clock: FakeClock
) -> None:
    staff.says_why()
    with house.database.tenant(district.id) as connection:
        assert WORDS.encode() not in bytes(connection.execute(sa.text("SELECT sealed FROM staff_access")).scalar_one())
    clock.pass_s(31 * 60)
    house.sweep()
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM staff_access")).scalar_one() == 0


def test_more_than_ten_are_not_shown_and_not_logged_as_found(
    staff: Staff, client: FlaskClient, house: House, district: District, platform: Platform
) -> None:
    for number in range(11):
        world.launch(client, platform, house, sub=f"many-{number}", **{"given_name": "Amina"})
    staff.says_why()
    answer = staff.post("/search", text="amina")
    assert PERSON.findall(answer.text) == []
    assert "More than 10" in answer.text
    assert "person found" not in {one.act for one in entries(house, district)}


@pytest.mark.parametrize("act", ["block", "erase"])
def test_an_act_that_skips_its_preview_leaves_its_reason_in_the_log_all_the_same(
    staff: Staff, pupil: PersonId, house: House, district: District, act: str
) -> None:
    staff.says_why()
    assert staff.post(f"/{pupil}/act", act=act, keeps_grades="yes").status_code == 200
    with house.database.tenant(district.id) as connection:
        wanted = log_reading.Wanted(act="person preview")
        (look,) = log_reading.read_log(connection, house.entered(connection).keys, wanted).items
    assert look.details["reason"] == "request"


def test_who_was_erased_is_not_erased_or_blocked_a_second_time(staff: Staff, pupil: PersonId) -> None:
    staff.says_why()
    assert staff.post(f"/{pupil}/act", act="erase", keeps_grades="yes").status_code == 200
    assert {staff.post(f"/{pupil}/act", act=act).status_code for act in ("erase", "block")} == {404}


@pytest.mark.parametrize(
    "value", ["", "\x00", "a\x00b", "x" * 100_000, "%", "_ ' \" \\", "é\u2028\u202e", "🏫" * 50],
    ids=["empty", "nul", "a nul within", "huge", "a pattern", "quotes", "turned about", "beyond the plane"],
)  # fmt: skip
def test_whatever_is_typed_is_answered_and_finds_nobody_by_a_pattern(staff: Staff, pupil: PersonId, value: str) -> None:
    staff.says_why()
    answers = [
        staff.post("/search", text=value),
        staff.post("/access", why="request", words=value, person=value),
        *(staff.post(f"/{pupil}/{step}", act="correct", field="name", value=value) for step in ("preview", "act")),
    ]
    assert {one.status_code for one in answers} <= {200, 303, 404, 422}
    assert str(pupil) not in answers[0].text


def test_until_when_a_reason_holds_is_said_by_the_district_s_clock(
    app: Flask, house: House, client: FlaskClient, district: District, clock: FakeClock
) -> None:
    with house.database.anyone() as connection:
        enter(connection, district.id)
        connection.execute(sa.text("UPDATE district SET timezone = 'Asia/Kolkata'"))
    staff = Staff(signed_in(app, house, StaffRole.DISTRICT_ADMIN, district))
    staff.says_why()
    until = (clock.now() + timedelta(minutes=30)).astimezone(ZoneInfo("Asia/Kolkata"))
    assert f"It holds until {until:%-I:%M}" in staff.browser.get("/district/people").text


def test_the_search_itself_wants_a_reason_whoever_calls_it(house: House, district: District, pupil: PersonId) -> None:
    nobody_s = SessionId(UUID(int=7))
    with pytest.raises(NotAllowed):
        house.rights.access.search(district.id, nobody_s, "Amina")
    with pytest.raises(NotAllowed):
        house.rights.access.must(district.id, nobody_s)
