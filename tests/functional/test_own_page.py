"""`/me`: somebody reads what is known about them and who saw it, and nobody else does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.own_door import LIFE, TICKET_LIFE
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.ids import GrantId
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked
from tests import world
from tests.clock import FakeClock
from tests.functional.own_page import enter, launched, one, opened, post, ticket_of
from tests.functional.test_log_page import signed_in
from tests.functional.test_progress import attempt, token_of
from tests.functional.test_progress import post as progress
from tests.functional.test_staff_access import WORDS, Staff, entries, only
from tests.peers.bare_platform import MEMBERSHIP, Platform

pytestmark = pytest.mark.usefixtures("district")
JSON = {"Accept": "application/problem+json"}


def as_owner(house: House, statement: str) -> Any:
    """As the owner of the tables, for what the application may not do."""
    engine = sa.create_engine(house.database.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as owner:
        done = owner.execute(sa.text(statement))
        found = done.scalar_one() if done.returns_rows else None
    engine.dispose()
    return found


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


def test_a_ticket_opens_once(app: Flask, client: FlaskClient, platform: Platform, house: House) -> None:
    ticket = launched(client, platform, house)
    assert enter(client, ticket).status_code == 303
    thief = app.test_client()
    assert enter(thief, ticket).status_code == 401
    assert thief.get("/me").status_code == 401


def test_a_ticket_opens_the_page_of_whom_it_was_made_for_alone(
    app: Flask, client: FlaskClient, platform: Platform, house: House
) -> None:
    opened(client, platform, house)
    second = opened(app.test_client(), platform, house, sub="pupil-2", name="Boris Other", given_name="B")
    assert "Boris Other" in second.get("/me").text
    assert "Amina" not in second.get("/me").text
    assert "Boris" not in client.get("/me").text


@pytest.mark.parametrize(
    "forge", [lambda one: one[:-1] + "AB"[one[-1] == "A"], lambda one: "", lambda one: "x" * 9_000]
)
def test_a_ticket_that_is_not_ours_opens_nothing(
    client: FlaskClient, platform: Platform, house: House, forge: Callable[[str], str]
) -> None:
    assert enter(client, forge(launched(client, platform, house))).status_code == 401
    assert client.get("/me").status_code == 401


def test_a_ticket_is_too_old_after_two_hours(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    ticket = launched(client, platform, house)
    clock.pass_s(TICKET_LIFE.total_seconds())
    assert enter(client, ticket).status_code == 401


def test_neither_the_lesson_s_token_nor_its_cookie_opens_the_page_and_its_cookie_opens_no_lesson(
    app: Flask, client: FlaskClient, platform: Platform, house: House
) -> None:
    """A lesson on another site holds such a token, and is to know nobody."""
    lesson = client.get(world.launch(client, platform, house).location)
    token = re.search(r'"token": ?"([^"]+)"', lesson.text)
    assert token
    assert enter(client, token[1]).status_code == 401
    lesson_cookie = next(one.value for one in (client._cookies or {}).values() if one.key == "lti_lesson")
    assert client.get("/me", headers={"Authorization": f"Bearer {token[1]}"}).status_code == 401
    stranger = app.test_client()
    stranger.set_cookie("lti_me", lesson_cookie, path="/me")
    assert stranger.get("/me").status_code == 401
    assert enter(client, ticket_of(lesson.text)).status_code == 303
    own = client.get_cookie("lti_me", path="/me")
    assert own is not None
    stranger.set_cookie("lti_lesson", own.value, path="/lessons/message-in-bits")
    assert stranger.get("/lessons/message-in-bits?from=course").status_code == 410


def test_a_lesson_on_another_site_is_given_no_ticket(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    """What such a lesson gets of a launch is the token's answer alone."""
    context = house.handoff.exchange(world.launch(client, platform, house).location.partition("ticket=")[2])
    assert context is not None
    address = "/api/v1/launch-context"
    answer = client.post(
        address, json={"ticket": world.launch(client, platform, house).location.partition("ticket=")[2]}
    )
    assert set(answer.get_json()) == {"token", "expires_at", "lesson_id", "activity_id", "api", "locale", "pseudonym"}


def test_another_site_s_page_cannot_open_somebody_s_page_in_a_browser(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    ticket = launched(client, platform, house)
    for site in ("cross-site", "same-site", "none"):
        assert enter(client, ticket, **{"Sec-Fetch-Site": site}).status_code == 403
    assert enter(client, ticket, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_the_cookie_is_for_this_page_alone_and_no_script_s(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    answer = enter(client, launched(client, platform, house))
    assert re.fullmatch(r"lti_me=[\w-]{20,}; HttpOnly; Path=/me; SameSite=Lax", answer.headers["Set-Cookie"])


@pytest.mark.parametrize("what", ["suspended", "revoked", "blocked", "erased", "signed out"])
def test_whatever_ends_the_session_ends_the_page_at_once(
    what: str, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    unspent = launched(client, platform, house)
    person_id, grant = only(house, district), GrantId(one(house, district, "SELECT id FROM grants"))
    done: dict[str, Callable[[], object]] = {
        "suspended": lambda: house.grants.withdraw.suspend(district.id, grant, by="cli:op"),
        "revoked": lambda: house.grants.withdraw.begin(district.id, grant, by="cli:op", reason="over"),
        "blocked": lambda: house.rights.blocks.of_person(district.id, person_id, by="cli:op"),
        "erased": lambda: house.rights.erase(district.id, person_id, by="cli:op", keeps_grades=True),
        "signed out": lambda: _end_sessions(house, district),
    }
    assert client.get("/me").status_code == 200
    done[what]()
    refused = [client.get("/me"), enter(client, unspent), client.get("/me")]
    assert {answer.status_code for answer in refused} == {401}
    assert not [answer for answer in refused if "Amina" in answer.text]


def _end_sessions(house: House, district: District) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE session SET ended_at = :now"), {"now": house.clock.now()})


def test_the_page_closes_by_itself_after_half_an_hour(client: FlaskClient, platform: Platform, house: House) -> None:
    opened(client, platform, house)
    assert as_owner(house, "SELECT max(expires_at - created_at) FROM directory WHERE kind = 'own_page'") <= LIFE
    as_owner(house, "UPDATE directory SET expires_at = now() WHERE kind = 'own_page'")  # it is judged by that clock
    assert client.get("/me").status_code == 401


def test_whoever_closes_the_page_leaves_it_closed_and_the_lesson_open(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    opened(client, platform, house)
    key = client.get_cookie("lti_me", path="/me")
    assert key is not None
    assert "The page is closed." in post(client, "/me/close").text
    client.set_cookie("lti_me", key.value, path="/me")
    assert client.get("/me").status_code == 401
    assert client.get(f"{house.settings.base_url}/lessons/message-in-bits?from=course").status_code == 200


def test_whoever_comes_by_no_lesson_is_told_how_to_get_here(client: FlaskClient) -> None:
    page = client.get("/me")
    assert page.status_code == 401
    assert "Below the lesson, choose “What is known about me”." in page.text
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
