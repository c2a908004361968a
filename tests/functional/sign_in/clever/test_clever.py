"""Signing in with Clever: by its page, from its portal, with roles, with gaps, and from a district that is not here."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.clever.conftest import JSON, STUDENT, come, rows
from tests.functional.sign_in.conftest import again, begin, local
from tests.peers.clever import NORTH, SOUTH, Clever
from tests.peers.descriptions import description, faults

TEACHER = {"legacy_id": "old-2", "sis_id": "sis-2", "teacher_number": None}
STAFF = {"legacy_id": "old-3", "staff_id": "sis-3"}


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def test_a_pupil_signs_in_and_is_who_clever_says_by_its_own_id(
    browser: FlaskClient, clever: Clever, house: House, district: District
) -> None:
    answer = come(browser, clever)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/learn")
    assert browser.get("/learn").status_code == 200
    (found,) = rows(house, district, "SELECT p.kind, i.issuer, i.client_id FROM person p JOIN identity i ON true")
    assert tuple(found) == ("pupil", clever.site, "client-of-clever")
    kept = {row.field for row in rows(house, district, "SELECT field FROM person_field")}
    assert kept == {"given_name", "family_name", "local_id"}
    (entry,) = rows(house, district, "SELECT payload FROM log_entry WHERE act = 'sign in'")
    assert log.payload_of(district.keys, bytes(entry.payload))["refused"] == {"birth_date": 1, "email": 1}


def test_the_address_names_the_connected_district_and_an_operators_one_names_none(
    browser: FlaskClient, clever: Clever, district: District
) -> None:
    asked = parse_qs(urlsplit(begin(browser, "north", "clever")).query)
    assert asked["district_id"] == [NORTH]
    assert "district_id" not in parse_qs(urlsplit(begin(browser, "", "clever")).query)


def test_no_token_of_clevers_is_kept(browser: FlaskClient, clever: Clever, house: House, district: District) -> None:
    come(browser, clever)
    for table in ("service_token", "upstream_revocation"):
        assert rows(house, district, f"SELECT 1 FROM {table}") == []


@pytest.mark.parametrize("way", ["portal", "instant login"])
def test_a_portal_or_an_instant_login_without_a_state_begins_a_sign_in_here(
    browser: FlaskClient, clever: Clever, house: House, district: District, way: str
) -> None:
    if way == "portal":
        arrival = clever.portal("ada")
    else:
        arrival = clever.back(f"{clever.site}/oauth/instant-login?client_id={clever.client_id}", "ada")
    answer = browser.get(local(arrival))
    assert answer.status_code == 302
    address = answer.headers["Location"]
    assert address.startswith(f"{clever.site}/oauth/authorize?")
    assert parse_qs(urlsplit(arrival).query)["code"][0] not in address
    assert [asked for asked in clever.asked if asked[0] == "POST"] == []  # its code is not exchanged
    assert browser.get(local(clever.back(address, "ada"))).status_code == 303
    assert browser.get("/learn").status_code == 200


def test_a_portal_that_sends_in_a_circle_is_stopped(browser: FlaskClient, clever: Clever, district: District) -> None:
    assert browser.get(local(clever.portal("ada"))).status_code == 302
    assert reason(browser.get(local(clever.portal("ada")), headers=JSON)) == "in-a-circle"


def test_whoever_comes_from_the_portal_takes_the_place_of_whoever_was_here(
    browser: FlaskClient, clever: Clever, house: House, district: District
) -> None:
    clever.knows("grace", student=STUDENT)
    for user_id in ("ada", "grace"):
        address = browser.get(local(clever.portal(user_id))).headers["Location"]
        assert browser.get(local(clever.back(address, user_id))).status_code == 303
    live = rows(house, district, "SELECT ended_at IS NULL AS live FROM session ORDER BY created_at, id")
    assert sorted(row.live for row in live) == [False, True]


def test_a_wrong_state_fails_hard_and_nothing_is_exchanged(
    browser: FlaskClient, clever: Clever, district: District
) -> None:
    address = clever.back(begin(browser, "north", "clever"), "ada")
    answer = browser.get(local(address.replace("state=", "state=x")), headers=JSON)
    assert reason(answer) == "state-forged"
    assert [asked for asked in clever.asked if asked[0] == "POST"] == []


def test_a_code_that_is_used_twice_is_a_page(
    app: Flask, browser: FlaskClient, clever: Clever, district: District
) -> None:
    address = local(clever.back(begin(browser, "north", "clever"), "ada"))
    other = again(app, browser)
    assert browser.get(address).status_code == 303
    assert browser.get(address).headers["Location"] == "/learn"  # a reload goes on
    assert reason(other.get(address, headers=JSON)) == "declined"


def test_an_account_of_another_district_gets_a_page_that_says_what_to_ask(
    browser: FlaskClient, clever: Clever, house: House, district: District
) -> None:
    clever.knows("eve", SOUTH, student=STUDENT)
    answer = browser.get(local(clever.back(begin(browser, "north", "clever"), "eve")))
    assert answer.status_code == 403
    assert "Ask your administrator to connect it." in answer.text
    assert rows(house, district, "SELECT 1 FROM person") == []


def test_two_districts_of_one_application_share_nothing(
    app: Flask, clever: Clever, house: House, signing_in: SignInHouse, district: District
) -> None:
    south = world.district(house, "south")
    signing_in.connections.connect(south.id, "clever", {"district_id": SOUTH}, by="test")
    clever.knows("eve", SOUTH, student=STUDENT)
    # Whichever school was chosen before, the account's own district decides.
    assert come(app.test_client(), clever, "eve", "north").status_code == 303
    assert come(app.test_client(), clever, "ada", "south").status_code == 303
    assert [len(rows(house, one, "SELECT 1 FROM person")) for one in (district, south)] == [1, 1]


@pytest.mark.parametrize(
    ("roles", "kind"),
    [
        ({"teacher": TEACHER}, "staff"),
        ({"staff": STAFF, "district_admin": {"legacy_id": "old-4"}}, "staff"),
        ({"teacher": TEACHER, "staff": STAFF, "student": None, "contact": None}, "staff"),
        ({"student": STUDENT, "teacher": TEACHER}, "pupil"),
        ({"contact": {"legacy_id": "old-5", "student_relationships": []}}, "pupil"),
        ({}, "pupil"),
    ],
)
def test_every_role_is_read_and_a_pupil_is_never_staff(
    browser: FlaskClient, clever: Clever, house: House, district: District, roles: dict[str, Any], kind: str
) -> None:
    clever.knows("somebody", **roles)
    assert come(browser, clever, "somebody").status_code == 303
    assert [row.kind for row in rows(house, district, "SELECT kind FROM person")] == [kind]


@pytest.mark.parametrize("redaction", ["null", "empty", "absent"])
def test_what_a_district_does_not_share_keeps_nobody_out(
    browser: FlaskClient, clever: Clever, house: House, district: District, redaction: str
) -> None:
    clever.redaction, clever.redacted = redaction, ("name", "email", "roles", "created")
    assert come(browser, clever).status_code == 303
    assert browser.get("/learn").status_code == 200
    assert rows(house, district, "SELECT field FROM person_field") == []


def test_somebody_who_is_not_shared_at_all_comes_in_as_a_pupil_without_a_name(
    browser: FlaskClient, clever: Clever, house: House, district: District
) -> None:
    clever.knows("teacher", teacher=TEACHER)
    clever.unshared.add("teacher")
    assert come(browser, clever, "teacher").status_code == 303
    assert [row.kind for row in rows(house, district, "SELECT kind FROM person")] == ["pupil"]


def test_whoever_is_blocked_gets_the_lessons_without_an_account(
    browser: FlaskClient, app: Flask, clever: Clever, house: House, district: District
) -> None:
    come(app.test_client(), clever)
    (person,) = rows(house, district, "SELECT id FROM person")
    house.rights.blocks.of_person(district.id, person.id, by="test")
    assert come(browser, clever).headers["Location"] == "/lessons"
    assert browser.get_cookie("lti_session") is None


def test_a_limit_is_told_as_one(browser: FlaskClient, clever: Clever, district: District) -> None:
    address = clever.back(begin(browser, "north", "clever"), "ada")
    clever.limited_until = time.time() + 60
    assert reason(browser.get(local(address), headers=JSON)) == "busy"


def test_an_outage_signs_nobody_in_and_is_no_fault_of_ours(
    browser: FlaskClient, clever: Clever, house: House, district: District
) -> None:
    address = clever.back(begin(browser, "north", "clever"), "ada")
    clever.out = True
    assert reason(browser.get(local(address), headers=JSON)) == "provider-failed"
    assert rows(house, district, "SELECT 1 FROM person") == []


def test_the_answers_of_the_fake_are_as_clever_describes_them(clever: Clever) -> None:
    described = description("clever-full-v3.yml")
    definitions = described["definitions"]
    clever.knows("teacher", teacher=TEACHER, staff=STAFF, student=None)
    clever.knows("contact", contact={"legacy_id": "old-5", "student_relationships": [], "phone": None})
    bearer = {"Authorization": f"Bearer district-token-of-{NORTH}"}
    for path, name in (
        ("users/ada", "UserResponse"), ("users/teacher", "UserResponse"), ("users/contact", "UserResponse"),
        (f"districts/{NORTH}", "DistrictResponse"),
    ):  # fmt: skip
        answer = requests.get(f"{clever.api}/v3.0/{path}", headers=bearer, timeout=10)
        assert answer.status_code == 200
        assert list(faults(answer.json(), definitions[name], definitions)) == []
    for answer, name in (
        (requests.get(f"{clever.api}/v3.0/users/nobody", headers=bearer, timeout=10), "NotFound"),
        (requests.get(f"{clever.api}/v3.0/users/ada", timeout=10), "Unauthorized"),
    ):
        assert list(faults(answer.json(), definitions[name], definitions)) == []
    for redaction in ("null", "empty", "absent"):
        clever.redaction, clever.redacted = redaction, ("email",)
        shown = requests.get(f"{clever.api}/v3.0/users/ada", headers=bearer, timeout=10).json()
        assert list(faults(shown, definitions["UserResponse"], definitions)) == []
    assert list(faults({"data": {"id": 7, "colour": "red"}}, definitions["UserResponse"], definitions))
