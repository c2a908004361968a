"""Whoever registers from another country than where data are kept agrees to that before anything is kept (A-72)."""

from __future__ import annotations

import dataclasses
import json

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.registering import Desk
from lti_server.app import House, create_app
from lti_server.privacy import log
from tests.functional.sign_in.own_accounts import comes, enabled, facebook, google, rows
from tests.functional.sign_in.own_accounts import house as opened_house
from tests.functional.sign_in.own_door import ADA, code_in, peer, post
from tests.peers.openid import OpenIdPeer
from tests.peers.smtp import MailServer

__all__ = ["facebook", "google", "opened_house", "peer"]
AGREED = {"kept_in": "US", "notice": 1}


@pytest.fixture
def house(opened_house: House) -> House:
    """A server that keeps data in the United States."""
    kept = dataclasses.replace(opened_house, settings=dataclasses.replace(opened_house.settings, country="US"))
    kept.__dict__["transport"] = opened_house.__dict__["transport"]
    return kept


@pytest.fixture
def french(house: House) -> Desk:
    return enabled(house, "FR", "google")


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(house)


def logged(house: House, desk: Desk) -> list[object]:
    """What the entries of sign-ins say that somebody has agreed to."""
    with house.database.tenant(desk.district.id) as connection:
        found = connection.execute(sa.text("SELECT payload FROM log_entry WHERE act = 'sign in' ORDER BY id")).scalars()
        return [log.payload_of(desk.district.keys, bytes(one)).get("agreed") for one in found]


def test_whoever_lives_elsewhere_agrees_before_anything_is_kept_and_reads_that_they_did(
    browser: FlaskClient, peer: MailServer, house: House, french: Desk
) -> None:
    post(browser, "/signup", years="30")
    told = browser.get("/signup/address")
    assert told.headers["Location"] == "/signup/abroad?country=FR"
    page = browser.get("/signup/abroad")
    assert "United States" in page.text
    unsure = post(browser, "/signup/abroad")
    assert unsure.status_code == 422
    assert browser.post("/signup/address", data={"address": ADA, "name": "x"}).status_code in (303, 403)
    assert (peer.received, rows(house, french, "SELECT 1 FROM email_code")) == ([], [])
    assert post(browser, "/signup/abroad", agree="yes").headers["Location"] == "/signup/address?country=FR"
    post(browser, "/signup/address", address=ADA, name="Cool Coder")
    assert post(browser, "/signin/code", code=code_in(peer)).headers["Location"] == "/learn"
    assert logged(house, french) == [AGREED]


def test_an_account_elsewhere_registers_nobody_who_has_not_agreed(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, french: Desk
) -> None:
    agreed = app.test_client()
    for one in (agreed, browser):
        post(one, "/signup", years="30")
        post(one, "/signup/abroad", agree="yes")
        post(one, "/signup/with/google", name="Cool Coder")
    browser.delete_cookie("lti_signup_abroad")
    way = "/auth/google/login?district=public-fr&register=yes"
    refused = comes(browser, google, way=way, Accept="application/problem+json")
    assert (refused.status_code, json.loads(refused.text)["reason"]) == (403, "not-agreed")
    assert rows(house, french, "SELECT 1 FROM person") == []
    assert comes(agreed, google, way=way).headers["Location"] == "/learn"
    assert logged(house, french) == [AGREED]


def test_whoever_lives_where_data_are_kept_is_asked_nothing(
    browser: FlaskClient, house: House, peer: MailServer
) -> None:
    enabled(house, "US", "google")
    post(browser, "/signup", years="30")
    assert browser.get("/signup/address").status_code == 200
    assert browser.get("/signup/abroad").headers["Location"] == "/signup/address?country=US"
