"""A name that somebody chose who comes by an account of their own stays for as long as they come: Google tells none."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.registering import Desk
from lti_server.app import House
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy import own_terms
from lti_server.privacy.model import Purpose
from tests.clock import FakeClock
from tests.functional.own_page import enter, ticket_of
from tests.functional.sign_in.own_accounts import comes, desk, facebook, google, house, registers, rows
from tests.functional.sign_in.own_door import peer
from tests.functional.sign_in.test_following_the_notice import announced, renewed
from tests.peers.openid import OpenIdPeer

__all__ = ["desk", "facebook", "google", "house", "peer"]
DAY_S = 86_400


def kept(house: House, desk: Desk) -> list[str]:
    with house.database.tenant(desk.district.id) as connection:
        house.retain(connection, desk.district)
    return [one.field for one in rows(house, desk, "SELECT field FROM person_field ORDER BY 1")]


def test_the_chosen_name_of_whoever_comes_by_google_goes_after_the_last_sign_in(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk, clock: FakeClock
) -> None:
    registers(browser, google, 30)
    clock.pass_s(300 * DAY_S)
    assert comes(app.test_client(), google).headers["Location"] == "/learn"
    clock.pass_s(300 * DAY_S)
    assert kept(house, desk) == ["email", "nickname"]
    clock.pass_s((own_terms.DAYS - 299) * DAY_S)
    assert kept(house, desk) == []


def test_the_own_page_says_that_the_days_count_from_the_last_sign_in(
    browser: FlaskClient, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    registers(browser, google, 30)
    assert enter(browser, ticket_of(browser.get("/learn").text)).status_code == 303
    page = browser.get("/me").text
    assert "kept for 400 days after you signed in last" in page
    assert "days at most" not in page


def test_a_renewed_contract_names_the_providers_of_the_one_before(
    google: OpenIdPeer, house: House, desk: Desk, clock: FakeClock
) -> None:
    announced(house, frozenset({Purpose.INSTRUCTION}))
    clock.pass_s(30 * DAY_S)
    assert renewed(house) == ["US"]
    again = OwnDoorHouse(house).registering.of("US")
    assert again is not None
    assert again.terms == 2
    assert again.providers == desk.providers == {own_terms.EMAIL, "google", "facebook"}
