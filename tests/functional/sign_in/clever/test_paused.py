"""Whoever comes from Clever's portal while their district's connection is suspended reads that it is paused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from lti_server.accounts.tenant_lists import UNREAD_LOOKS
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.clever.conftest import JSON, grant_of, rows
from tests.functional.sign_in.conftest import begin, local
from tests.peers.clever import NORTH, SOUTH, Clever


def from_the_portal(browser: FlaskClient, clever: Clever, *, accept: dict[str, str] = JSON) -> tuple[int, str]:
    """The portal sends somebody with a code; what they read at the end."""
    begun = browser.get("/auth/clever/callback?code=a-code-of-the-portal")
    answer = browser.get(local(clever.back(begun.headers["Location"], "ada")), headers=accept)
    return answer.status_code, answer.text


def reason(found: tuple[int, str]) -> str:
    assert found[0] == 403, found
    return str(json.loads(found[1])["reason"])


def test_a_suspended_school_is_paused_and_not_unknown(
    browser: FlaskClient, house: House, clever: Clever, signing_in: SignInHouse, district: District
) -> None:
    house.grants.withdraw.suspend(district.id, grant_of(house, district), by="test")
    assert reason(from_the_portal(browser, clever)) == "paused"
    assert signing_in.waiting.every() == []


def test_a_school_whose_list_cannot_be_read_is_paused_until_it_can(
    app: Flask, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    clever.tokens_say = lambda: Response(status=500)
    for _ in range(UNREAD_LOOKS):
        look()
    assert reason(from_the_portal(app.test_client(), clever)) == "paused"
    clever.tokens_say = None
    look()
    assert from_the_portal(app.test_client(), clever)[0] == 303


@pytest.mark.parametrize(
    ("language", "words"), [("en", "is paused for your school"), ("fr", "en pause pour ton école")]
)
def test_the_page_says_so_and_asks_nobody_to_have_it_connected(
    browser: FlaskClient, house: House, clever: Clever, district: District, language: str, words: str
) -> None:
    house.grants.withdraw.suspend(district.id, grant_of(house, district), by="test")
    status, page = from_the_portal(browser, clever, accept={"Accept": "text/html", "Accept-Language": language})
    assert status == 403
    assert words in page
    assert "What to ask for" not in page


def test_a_revoked_school_is_not_paused(
    browser: FlaskClient, house: House, clever: Clever, signing_in: SignInHouse, district: District
) -> None:
    house.grants.withdraw.begin(district.id, grant_of(house, district), by="test", reason="over")
    assert reason(from_the_portal(browser, clever)) == "tenant-not-connected"
    assert [one.tenant for one in signing_in.waiting.every()] == [NORTH]


def test_another_districts_own_application_does_not_learn_that_a_school_is_paused(
    browser: FlaskClient, house: House, clever: Clever, signing_in: SignInHouse, district: District
) -> None:
    clever.client_id = "souths-own"
    own = {**clever.application(), "district_id": SOUTH}
    signing_in.connections.connect(world.district(house, "south").id, "clever", own, by="test")
    house.grants.withdraw.suspend(district.id, grant_of(house, district), by="test")
    back = local(clever.back(begin(browser, "south", "clever"), "ada"))
    assert json.loads(browser.get(back, headers=JSON).text)["reason"] == "tenant-not-connected"


def test_a_connection_that_has_expired_is_not_paused(
    browser: FlaskClient, house: House, clever: Clever, district: District
) -> None:
    rows(house, district, "UPDATE grants SET state = 'expired' RETURNING id")
    assert reason(from_the_portal(browser, clever)) == "tenant-not-connected"
