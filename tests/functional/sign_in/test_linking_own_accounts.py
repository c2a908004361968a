"""Who registered by e-mail connects an account of their own: Google whoever it is, Facebook who is an adult."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.registering import Desk
from lti_server.app import House
from lti_server.privacy.rights import Asked
from tests.functional.own_page import enter, ticket_of
from tests.functional.own_page import post as on_own_page
from tests.functional.sign_in.conftest import local
from tests.functional.sign_in.own_accounts import EMAIL, GRACE, comes, desk, facebook, google, house, registers, rows
from tests.functional.sign_in.own_door import peer, registered
from tests.functional.sign_in.two_doors import begun
from tests.peers.facebook import Facebook
from tests.peers.openid import OpenIdPeer
from tests.peers.smtp import MailServer

__all__ = ["desk", "facebook", "google", "house", "peer"]
JSON = {"Accept": "application/problem+json"}
OLD = "old@example.org"


def by_email(browser: FlaskClient, peer: MailServer, years: int) -> None:
    """Somebody has registered by e-mail, and their own page is open."""
    registered(browser, peer, years, OLD)
    assert enter(browser, ticket_of(browser.get("/learn").text)).status_code == 303


@pytest.mark.parametrize("years", [12, 30])
def test_google_is_connected_and_leads_to_the_same_person_and_tells_no_name(
    years: int, browser: FlaskClient, app: Flask, peer: MailServer, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    by_email(browser, peer, years)
    assert browser.get(local(google.back(begun(browser, "google"), "ada"))).status_code == 303
    assert comes(app.test_client(), google).headers["Location"] == "/learn"
    assert len(rows(house, desk, "SELECT 1 FROM person")) == 1
    found = rows(house, desk, "SELECT DISTINCT field FROM person_field ORDER BY 1")
    assert [one.field for one in found] == ["email", "nickname"]
    plain = rows(house, desk, "SELECT 1 FROM person_field WHERE field = 'email' AND ciphertext IS NOT NULL")
    assert bool(plain) is (years == 30)


@pytest.mark.parametrize(("years", "offered"), [(12, False), (17, False), (18, True)])
def test_facebook_is_offered_to_adults_and_connected_by_them_alone(
    years: int, offered: bool, browser: FlaskClient, app: Flask, peer: MailServer, facebook: Facebook, house: House,
    desk: Desk,
) -> None:  # fmt: skip
    by_email(browser, peer, years)
    assert ("Facebook" in browser.get("/me").text) is offered
    answer = browser.get(local(facebook.back(begun(browser, "facebook"), GRACE)), headers=JSON)
    assert answer.status_code == (303 if offered else 403)
    if not offered:
        assert json.loads(answer.text)["reason"] == "link-not-possible"
    assert len(rows(house, desk, "SELECT 1 FROM identity WHERE provider = 'facebook'")) == offered


def test_an_adults_facebook_leads_nowhere_once_their_age_is_put_right_and_the_address_still_does(
    browser: FlaskClient, app: Flask, peer: MailServer, facebook: Facebook, house: House, desk: Desk
) -> None:
    by_email(browser, peer, 40)
    browser.get(local(facebook.back(begun(browser, "facebook"), GRACE)))
    other = app.test_client()
    assert comes(other, facebook, GRACE, provider="facebook").headers["Location"] == "/learn"
    (person,) = rows(house, desk, "SELECT id FROM person")
    asked = Asked(by="operator", act="person correct", reason="The family asked.")
    house.rights.correct.put(desk.district.id, person.id, "age", "15", asked)
    assert (other.get("/learn").status_code, browser.get("/learn").status_code) == (303, 200)


def test_who_registered_twice_becomes_one_by_proof_of_both(
    browser: FlaskClient, app: Flask, peer: MailServer, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    google.knows("ada", email=EMAIL, email_verified=True)
    registers(app.test_client(), google, 30)
    by_email(browser, peer, 12)
    led = browser.get(local(google.back(begun(browser, "google"), "ada")))
    assert led.headers["Location"].endswith("/me/accounts/confirm")
    assert on_own_page(browser, "/me/accounts/confirm").status_code == 303
    assert len(rows(house, desk, "SELECT 1 FROM person WHERE merged_into IS NULL")) == 1
    # The lower age counts from now on, and of a child no address stays.
    assert not rows(house, desk, "SELECT 1 FROM person_field WHERE field = 'email' AND ciphertext IS NOT NULL")
