"""Signing in at an OpenID provider: who comes back, what is kept of them, and what opens."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.privacy import log
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.conftest import Provider, begin, local, sign_in

NAMED = {"given_name": "Ada", "family_name": "Lovelace", "email": "ada@district.example"}


def rows(house: House, district: District, statement: str) -> list[sa.Row[Any]]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement)))


def test_somebody_who_signs_in_there_is_in_here(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", **NAMED)
    answer = sign_in(browser, provider)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/learn")
    assert "You are signed in at North." in browser.get("/learn").text
    ((kind,),) = rows(house, district, "SELECT kind FROM person")
    assert kind == "pupil"  # nothing says that it is a teacher
    (found,) = rows(house, district, "SELECT * FROM identity")
    assert (found.provider, found.issuer, found.client_id) == ("oidc", provider.issuer, "lti-server")
    assert found.seen_on is None, "a school tells a pupil's name anew, so nothing is kept of when somebody came"
    assert {row.field for row in rows(house, district, "SELECT field FROM person_field")} == {
        "given_name",
        "family_name",
    }


def test_it_is_one_entry_of_the_log_with_what_was_kept_and_what_was_refused(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", **NAMED, birthdate="2014-05-06", picture="https://id.example/ada.png")
    sign_in(browser, provider)
    (row,) = rows(house, district, "SELECT * FROM log_entry WHERE act = 'sign in'")
    said = log.payload_of(district.keys, bytes(row.payload))
    assert (row.decision, row.population, row.interest) == ("allowed", "person", "service")
    assert set(row.elements) == {"student_name.first_and_or_last", "student_identifiers.app_assigned_id"}
    assert said["refused"] == {"birth_date": 1, "email": 1}


def test_who_comes_again_is_the_same_person(app: Flask, provider: Provider, house: House, district: District) -> None:
    provider.knows("ada", **NAMED)
    sign_in(app.test_client(), provider)
    provider.knows("ada", given_name="Ada", family_name="King", email="king@district.example")
    sign_in(app.test_client(), provider)
    assert len(rows(house, district, "SELECT id FROM person")) == 1
    assert len(rows(house, district, "SELECT id FROM session")) == 2


def test_two_accounts_with_one_e_mail_are_two_people(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    for sub in ("one", "two"):
        provider.knows(sub, **NAMED)
        sign_in(app.test_client(), provider, sub)
    assert len(rows(house, district, "SELECT id FROM person")) == 2


def test_the_address_has_pkce_and_a_nonce_and_neither_the_secret_nor_the_verifier(
    browser: FlaskClient, provider: Provider, district: District
) -> None:
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begin(browser)).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].endswith("/auth/oidc/callback")
    assert len(asked["nonce"]) == 43
    assert asked["scope"].split()[0] == "openid"
    secrets = [one.value for one in (browser._cookies or {}).values() if one.key.startswith("lti_signin_")]
    assert len(secrets) == 1
    assert secrets[0] not in str(asked)


def test_a_new_sign_in_takes_the_place_of_the_one_before_on_a_shared_device(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    sign_in(browser, provider, "ada")
    sign_in(browser, provider, "grace")
    states = rows(house, district, "SELECT ended_at IS NULL AS live FROM session ORDER BY created_at, id")
    assert sorted(row.live for row in states) == [False, True]


def test_signing_out_ends_the_session_on_the_server(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    sign_in(browser, provider)
    cookie = browser.get_cookie("lti_session")
    assert cookie is not None
    page = browser.get("/learn").text
    token = re.search('name="csrf_token" value="([^"]+)"', page)
    assert token
    assert browser.post("/signout", data={"csrf_token": token[1]}).status_code == 303
    browser.set_cookie("lti_session", cookie.value)
    assert browser.get("/learn").headers["Location"].startswith("/signin")


def test_a_session_ends_after_an_hour_of_nothing_and_after_half_a_day(
    browser: FlaskClient, provider: Provider, clock: FakeClock, district: District
) -> None:
    sign_in(browser, provider)
    for _ in range(14):
        clock.pass_s(55 * 60)
        if browser.get("/learn").status_code != 200:
            break
    else:
        pytest.fail("a session in use has no end")
    sign_in(browser, provider)
    clock.pass_s(3_600)
    assert browser.get("/learn").status_code == 303


def test_a_revoked_connection_ends_its_sessions_at_once_and_lets_nobody_in(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    sign_in(browser, provider)
    (row,) = rows(house, district, "SELECT grant_id FROM provider_connection")
    address = begin(browser)
    house.grants.withdraw.begin(district.id, row.grant_id, by="test", reason="over")
    assert browser.get("/learn").status_code == 303
    refused = browser.get(local(provider.back(address, "ada")))
    assert (refused.status_code, "switched off" in refused.text) == (403, True)
    house.grants.withdraw.finish(district.id, row.grant_id)
    (left,) = rows(house, district, "SELECT sealed, ended_at FROM provider_connection")
    assert left.sealed is None
    assert left.ended_at is not None
    assert browser.get("/auth/oidc/login?district=north").status_code == 403


def test_a_suspended_connection_lets_nobody_in_and_goes_on_afterwards(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    sign_in(browser, provider)
    (row,) = rows(house, district, "SELECT grant_id FROM provider_connection")
    house.grants.withdraw.suspend(district.id, row.grant_id, by="test", reason="a look")
    assert browser.get("/learn").status_code == 303
    assert browser.get("/auth/oidc/login?district=north").status_code == 403
    house.grants.withdraw.resume(district.id, row.grant_id, by="test")
    assert browser.get("/learn").status_code == 200


def test_a_contract_that_names_other_providers_lets_nobody_in(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more="providers: {lti: {}}"))
    refused = sign_in(browser, provider)
    assert refused.status_code == 403
    assert "does not name this way in" in refused.text
    assert rows(house, district, "SELECT 1 FROM person") == []


def test_without_a_contract_in_force_nobody_is_let_in(
    browser: FlaskClient, provider: Provider, house: House, clock: FakeClock, district: District
) -> None:
    clock.pass_s(366 * 86_400 * 2)
    assert begin(browser)  # the way there is open; whether somebody may come in is decided with the contract in hand
    assert rows(house, district, "SELECT 1 FROM person") == []


def test_whoever_is_blocked_gets_the_lessons_without_an_account(
    browser: FlaskClient, app: Flask, provider: Provider, house: House, district: District
) -> None:
    sign_in(app.test_client(), provider)
    (person,) = rows(house, district, "SELECT id FROM person")
    house.rights.blocks.of_person(district.id, person.id, by="test")
    answer = sign_in(browser, provider)
    assert answer.headers["Location"] == "/lessons"
    assert browser.get_cookie("lti_session") is None


def test_whoever_was_erased_is_out_at_once_and_comes_again_as_somebody_else(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    sign_in(browser, provider)
    (person,) = rows(house, district, "SELECT id FROM person")
    house.rights.erase(district.id, person.id, by="test")
    assert browser.get("/learn").status_code == 303
    assert sign_in(browser, provider).status_code == 303  # only a block keeps somebody out (docs: what people may ask)
    found = rows(house, district, "SELECT id, wrapped_key IS NULL AS erased FROM person ORDER BY created_at")
    assert [(row.id == person.id, row.erased) for row in found] == [(True, True), (False, False)]


def test_a_lesson_is_opened_and_its_page_has_a_token(
    browser: FlaskClient, provider: Provider, district: District
) -> None:
    sign_in(browser, provider)
    token = re.search('name="csrf_token" value="([^"]+)"', browser.get("/learn").text)
    assert token
    answer = browser.post("/learn/message-in-bits", data={"csrf_token": token[1]})
    assert answer.status_code == 303
    assert 'id="launch-context"' in browser.get(answer.headers["Location"]).text


def test_whoever_is_in_reads_what_is_known_about_them_until_they_sign_out(
    browser: FlaskClient, provider: Provider, district: District
) -> None:
    provider.knows("ada", **NAMED)
    sign_in(browser, provider)
    page = browser.get("/learn").text
    ticket = re.search('name="ticket" value="([^"]+)"', page)
    assert ticket
    assert browser.post("/me/open", data={"ticket": ticket[1]}).status_code == 303
    assert "Lovelace" in browser.get("/me").text
    token = re.search('name="csrf_token" value="([^"]+)"', page)
    assert token
    browser.post("/signout", data={"csrf_token": token[1]})
    assert "Lovelace" not in browser.get("/me").text
