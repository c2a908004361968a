"""`/me`: somebody reads what is known about them and who saw it, and nobody else does."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked
from tests import world
from tests.functional.own_page import as_owner, launched, one, opened, post, ticket_of
from tests.functional.test_log_page import signed_in
from tests.functional.test_progress import attempt, token_of
from tests.functional.test_progress import post as progress
from tests.functional.test_staff_access import WORDS, Staff, entries, only
from tests.peers.bare_platform import MEMBERSHIP, Platform

pytestmark = pytest.mark.usefixtures("district")
JSON = {"Accept": "application/problem+json"}


def test_a_launched_pupil_reads_what_is_known_and_from_where(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    page = opened(client, platform, house).get("/me")
    assert page.status_code == 200
    for told in ("Amina Example", "pupil-1", "Class 5b", "lms.example", "kept for 400 days at most"):
        assert told in page.text, told
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]


def test_who_looked_and_why_stands_on_the_page_of_whoever_was_looked_at(
    app: Flask, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    assert "Nobody else has looked" in client.get("/me").text
    staff = Staff(signed_in(app, house, StaffRole.DATA_STEWARD, district))
    staff.says_why("support", WORDS)
    staff.browser.get(f"/district/people/{only(house, district)}")
    page = client.get("/me").text
    assert "Somebody looked at what is kept about you." in page
    assert "The staff of your school district" in page
    assert f"Somebody could not get on with a lesson. <q>{WORDS}</q>" in page
    assert "They work for your school" in page


def test_what_was_passed_on_and_what_was_refused_is_told_apart(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    person_id, decisions = only(house, district), ("allowed", "refused")
    with house.database.tenant(district.id) as connection:
        for decision in decisions:
            entry = log.entry(
                district.keys, at=house.clock.now(), actor="grant:x", act="grade",
                decision=decision,  # type: ignore[arg-type]  # the words of the log
                purpose="instruction", object_id=person_id, population="person", interest=log.Interest.SCHOOL_OFFICIAL,
            )  # fmt: skip
            log.record(connection, entry)
    page = client.get("/me").text
    assert page.count("Your results were sent to your school’s gradebook.") == len(decisions)
    assert page.count("It was refused: nothing was told.") == 1


def test_older_entries_are_reached_page_by_page_and_each_is_told_once(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    person_id = only(house, district)
    for number in range(35):
        house.rights.rights.show(
            district.id, person_id, Asked(by="cli:op", act="person show", reason=f"look {number};")
        )
    first = client.get("/me")
    older = re.search(r'href="(/me\?after=[^"]+)"', first.text)
    assert older
    told = re.findall(r"look \d+;", first.text + client.get(unescape(older[1])).text)
    assert sorted(told) == sorted(f"look {number};" for number in range(35))


def test_teachers_are_named_while_the_pupil_is_in_their_class(
    app: Flask, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(
        app.test_client(), platform, house, sub="teacher-1", name="Ms Rivers", given_name="Jo", family_name="Rivers",
        lti_roles=[MEMBERSHIP + "Instructor"],
    )  # fmt: skip
    page = opened(client, platform, house).get("/me").text
    assert "Ms Rivers" in page
    with house.database.tenant(district.id) as connection:
        connection.execute(
            sa.text("UPDATE membership SET ended_at = :now WHERE role = 'pupil'"), {"now": house.clock.now()}
        )
    page = client.get("/me").text
    assert "Ms Rivers" not in page
    assert "Class 5b" in page
    assert "not any more" in page


def test_once_the_contract_has_ended_no_teacher_is_named_and_one_s_own_data_are_shown(
    app: Flask, client: FlaskClient, platform: Platform, house: House
) -> None:
    teacher = {"sub": "teacher-1", "name": "Ms Rivers", "lti_roles": [MEMBERSHIP + "Instructor"]}
    world.launch(app.test_client(), platform, house, **teacher)
    opened(client, platform, house)
    as_owner(house, "UPDATE contract SET valid_from = '2020-01-01', valid_to = '2020-01-02'")
    page = client.get("/me").text
    assert "Ms Rivers" not in page
    assert re.search(r"Taught by: Teacher \d<", page)
    assert "Amina Example" in page


def test_a_pupil_s_e_mail_is_neither_shown_nor_named_to_the_district(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more=f"  student_contact.email: {world.SCHOOL}"))
    opened(client, platform, house, email="amina@pupils.example")
    page, file = client.get("/me").text, post(client, "/me/export").text
    assert one(house, district, "SELECT count(*) FROM person_field WHERE field = 'email'") == 1
    assert "pupils.example" not in page + file
    assert "kept only as a scrambled sign" in page
    read = [entry for entry in entries(house, district) if entry.act.startswith("own data")]
    assert {entry.act for entry in read} == {"own data see", "own data export"}
    assert not [entry for entry in read if "student_contact.email" in entry.elements]


def test_what_the_district_put_right_stands_in_the_place_of_what_was_wrong(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    asked = Asked(by="cli:op", act="person correct", reason="asked")
    house.rights.correct.put(district.id, only(house, district), "given_name", "Aminata", asked)
    house.rights.correct.restrict(district.id, only(house, district), Recipients.GRADEBOOK, asked)
    page = client.get("/me").text
    assert "Aminata" in page
    assert "put right by your district" in page
    assert "<dd>Amina <" not in page
    assert "Nothing about you goes to: the gradebook of the LMS." in page


def test_what_a_pupil_did_in_lessons_is_on_the_pupil_s_own_page(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    token = token_of(client, platform, house)
    for answers in ("because", None):
        assert progress(client, token, attempt(house, completed=True, answers=answers)).status_code == 200
    page = opened(client, platform, house).get("/me").text
    title = house.catalogue.get("message-in-bits").title.within("en")
    assert f'<dd>{title} <span class="quiet">2 tries, 1 puzzle solved</span></dd>' in page
    assert "1 time what you made or wrote" in page


def test_the_download_is_the_whole_export_and_each_reading_is_an_entry_of_the_person_s_own(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    answer = post(client, "/me/export")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="about-me.json"'
    person_id = only(house, district)
    given = json.loads(answer.data)
    whole = house.rights.rights.export(district.id, person_id, Asked(by="cli:op", act="person export", reason="test"))
    for part in (given, whole):
        part["data"].pop("log")
    assert given == {**whole, "exported_at": given["exported_at"]}
    for act in ("own data see", "own data export"):
        entry = next(entry for entry in entries(house, district) if entry.act == act)
        assert (entry.actor, entry.object_id, entry.interest) == (f"person:{person_id}", person_id, "own_data")
    assert "own data" not in client.get("/me").text


def test_whoever_comes_by_no_lesson_is_told_how_to_get_here(client: FlaskClient) -> None:
    page = client.get("/me")
    assert page.status_code == 401
    assert "Choose “What is known about me” there." in page.text
    assert client.get("/me", headers=JSON).get_json()["status"] == 401


def test_a_form_without_its_token_is_refused(client: FlaskClient, platform: Platform, house: House) -> None:
    opened(client, platform, house)
    for path in ("/me/export", "/me/ask", "/me/close"):
        assert client.post(path, data={"wish": "erase"}).status_code == 403
    assert client.get("/me").status_code == 200


def test_a_teacher_reads_the_same_of_themselves(client: FlaskClient, platform: Platform, house: House) -> None:
    teacher = {"sub": "teacher-1", "name": "Ms Rivers", "lti_roles": [MEMBERSHIP + "Instructor"]}
    page = opened(client, platform, house, **teacher).get("/me").text
    assert "Ms Rivers" in page
    assert "you teach it" in page


def test_a_blocked_child_s_lesson_has_no_way_to_a_page(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house)
    house.rights.blocks.of_person(district.id, only(house, district), by="cli:op")
    page = client.get(world.launch(client, platform, house).location)
    assert page.status_code == 200
    assert "/me/open" not in page.text


def test_a_lesson_without_an_account_has_no_way_to_a_page(client: FlaskClient) -> None:
    assert "/me/open" not in client.get("/lessons/message-in-bits").text


def test_pages_that_are_kept_ready_give_each_pupil_a_ticket_of_their_own(
    app: Flask, client: FlaskClient, platform: Platform, house: House
) -> None:
    tickets = {launched(app.test_client(), platform, house, sub=f"pupil-{number}") for number in range(3)}
    assert len(tickets) == 3
    assert "" not in tickets


def test_the_page_speaks_french_with_the_lesson(client: FlaskClient, platform: Platform, house: House) -> None:
    launch = world.launch(client, platform, house, **{"lti_launch_presentation": {"locale": "fr-CA"}})
    lesson = client.get(launch.location).text
    assert "/me/open?lang=fr" in lesson
    answer = client.post("/me/open?lang=fr", data={"ticket": ticket_of(lesson)})
    assert answer.location == "/me?lang=fr"
    assert "Ce que l’on sait de moi" in client.get(answer.location).text
