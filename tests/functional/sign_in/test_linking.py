"""One person comes by two doors, shows that both are theirs, and finds the same work behind each."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.privacy.districts import District
from tests.clock import FakeClock
from tests.functional.own_page import enter, post, ticket_of
from tests.functional.sign_in.conftest import Provider, sign_in
from tests.functional.sign_in.two_doors import (
    ROLES,
    TEACHER,
    Platform,
    by_lms,
    by_provider,
    confirmed,
    district,
    house,
    linked,
    platform,
    rows,
    whose,
)
from tests.functional.test_progress import AGS, attempt, token_of
from tests.functional.test_progress import post as save

__all__ = ["district", "house", "platform"]


def test_an_account_that_is_nobodys_becomes_a_further_way_in(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    provider.knows("ada", given_name="Ada", family_name="Lovelace", email="ada@x.example")
    browser = by_lms(app.test_client(), platform, house, sub="ada-at-lms")
    answer = linked(browser, provider, "ada")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/me?connected=linked#accounts")
    assert whose(house, district) == {"people": 1, "ways": 2}
    page = browser.get(answer.headers["Location"]).text
    assert "find the same work" in page
    assert "OpenID Connect" in page
    ((person,),) = rows(house, district, "SELECT id FROM person")
    by_provider(app.test_client(), provider, "ada")
    assert rows(house, district, "SELECT DISTINCT person_id FROM session WHERE identity_id IS NOT NULL") == [(person,)]
    (entry,) = rows(house, district, "SELECT decision, object_id, elements FROM log_entry WHERE act = 'account link'")
    assert (entry.decision, entry.object_id) == ("allowed", person)
    assert "student_contact.email" not in entry.elements


def test_linking_opens_no_session_and_ends_none(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    before = rows(house, district, "SELECT id FROM session WHERE ended_at IS NULL")
    linked(browser, provider, "ada")
    assert rows(house, district, "SELECT id FROM session WHERE ended_at IS NULL") == before
    assert browser.get_cookie("lti_session") is None


def test_an_account_that_was_used_here_before_leads_to_a_preview_and_both_are_one_when_that_is_confirmed(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    by_provider(app.test_client(), provider, "ada")
    browser = by_lms(app.test_client(), platform, house)
    answer = linked(browser, provider, "ada")
    assert answer.headers["Location"] == "/me/accounts/confirm"
    assert whose(house, district) == {"people": 2, "ways": 2}
    page = browser.get("/me/accounts/confirm").text
    assert "Are both yours?" in page
    assert "Ways to come in" in page
    assert whose(house, district) == {"people": 2, "ways": 2}
    answer = confirmed(browser)
    assert answer.headers["Location"] == "/me?connected=one#accounts"
    assert whose(house, district) == {"people": 1, "ways": 2}
    assert "Both accounts are one now" in browser.get(answer.headers["Location"]).text
    assert browser.get("/me/accounts/confirm").status_code == 303


def test_who_says_no_leaves_both_as_they_are(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    by_provider(app.test_client(), provider, "ada")
    browser = by_lms(app.test_client(), platform, house)
    linked(browser, provider, "ada")
    assert post(browser, "/me/accounts/decline").status_code == 303
    assert browser.get("/me/accounts/confirm").headers["Location"] == "/me#accounts"
    assert post(browser, "/me/accounts/confirm").status_code == 403
    assert whose(house, district) == {"people": 2, "ways": 2}


def test_an_account_that_is_connected_already_changes_nothing(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    linked(browser, provider, "ada")
    assert linked(browser, provider, "ada").headers["Location"] == "/me?connected=already#accounts"
    assert whose(house, district) == {"people": 1, "ways": 2}


def test_two_accounts_at_one_provider_can_be_one_persons(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    provider.knows("ada", given_name="Ada")
    provider.knows("ada.king", given_name="Augusta", family_name="King")
    browser = by_provider(app.test_client(), provider, "ada")
    assert linked(browser, provider, "ada.king").headers["Location"].startswith("/me?connected=linked")
    assert whose(house, district) == {"people": 1, "ways": 2}
    assert {row.field for row in rows(house, district, "SELECT field FROM person_field")} == {
        "given_name",
        "family_name",
    }


def test_the_work_of_both_is_there_afterwards(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    client = app.test_client()
    token = token_of(client, platform, house, sub="ada-at-lms", **AGS)
    assert save(client, token, attempt(house)).status_code == 200
    browser = by_provider(app.test_client(), provider, "ada")
    other = by_lms(app.test_client(), platform, house, sub="ada-at-lms", **AGS)
    linked(other, provider, "ada")
    confirmed(other)
    assert whose(house, district) == {"people": 1, "ways": 2}
    assert browser.get("/me").status_code == 401, "sessions of whoever was merged end"
    again = by_provider(app.test_client(), provider, "ada")
    assert "1 try" in again.get("/me").text


def test_a_teacher_may_connect_an_account_that_says_of_no_role(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house, sub="teacher", **{ROLES: [TEACHER]})
    assert linked(browser, provider, "grace").headers["Location"].startswith("/me?connected=linked")
    sign_in(app.test_client(), provider, "grace")
    assert rows(house, district, "SELECT role FROM session WHERE identity_id IS NOT NULL") == [("teacher",)]


def test_who_came_too_long_ago_signs_in_again_first(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    clock.pass_s(601)
    answer = post(browser, "/me/accounts/connect", provider="oidc")
    assert answer.status_code == 403
    assert "Sign in again" in answer.text
    assert rows(house, district, "SELECT 1 FROM link_intent") == []


def test_a_lesson_makes_an_old_sign_in_no_fresher(
    browser: FlaskClient, provider: Provider, house: House, district: District, clock: FakeClock
) -> None:
    """Computers in schools are shared: whoever sits down at one that was left has not signed in."""
    by_provider(browser, provider, "ada")
    for seconds, status in ((0, 200), (601, 403)):
        clock.pass_s(seconds)
        token = re.search('name="csrf_token" value="([^"]+)"', browser.get("/learn").text)
        assert token
        lesson = browser.post("/learn/message-in-bits", data={"csrf_token": token[1]}).headers["Location"]
        assert enter(browser, ticket_of(browser.get(lesson).text)).status_code == 303
        assert post(browser, "/me/accounts/connect", provider="oidc").status_code == status
    assert len(rows(house, district, "SELECT 1 FROM link_intent")) == 1


@pytest.mark.parametrize("provider_name", ["google", "lti", "nothing"])
def test_a_provider_that_the_district_has_not_connected_is_no_way_to_link(
    browser: FlaskClient, provider: Provider, platform: Platform, house: House, district: District, provider_name: str
) -> None:
    by_lms(browser, platform, house)
    assert post(browser, "/me/accounts/connect", provider=provider_name).status_code in (403, 404, 422)
    assert rows(house, district, "SELECT 1 FROM link_intent") == []


def test_intents_are_gone_after_a_day(
    browser: FlaskClient, provider: Provider, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    linked(by_lms(browser, platform, house), provider, "ada")
    assert len(rows(house, district, "SELECT 1 FROM link_intent")) == 1
    clock.pass_s(86_401)
    house.rights.resume(district.id)
    assert rows(house, district, "SELECT 1 FROM link_intent") == []
