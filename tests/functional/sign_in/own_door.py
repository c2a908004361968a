"""A server that sends codes by mail, to a mail server on loopback, and somebody who types them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.registering import Desk
from lti_server.app import House, build_house, create_app
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.peers import smtp
from tests.peers.smtp import MailServer

ADA = "ada.canary-5e1f@example.org"


@pytest.fixture
def peer() -> Iterator[MailServer]:
    with smtp.serving() as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, peer: MailServer) -> Iterator[House]:
    found = build_house(
        dataclasses.replace(settings, smtp_url=peer.url, mail_from="lessons@here.example"), database_url, clock
    )
    yield found
    found.database.dispose()


@pytest.fixture
def desk(house: House) -> Desk:
    return OwnDoorHouse(house).registering.enable("US", by="test")


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(house)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def post(browser: FlaskClient, page: str, **fields: str) -> TestResponse:
    token = re.search('name="csrf_token" value="([^"]+)"', browser.get(page).text)
    assert token, browser.get(page).text
    return browser.post(page, data={"csrf_token": token[1], **fields})


def asked(browser: FlaskClient, years: int = 11, address: str = ADA, name: str = "Cool Coder") -> TestResponse:
    """Register, up to the page on which the code is typed."""
    assert post(browser, "/signup", years=str(years)).status_code == 303
    return post(browser, "/signup/address", address=address, name=name)


def code_in(peer: MailServer) -> str:
    found = re.search(r"\b(\d{4} \d{4})\b", peer.received[-1].get_content())
    assert found, peer.received[-1].get_content()
    return found[1]


def registered(browser: FlaskClient, peer: MailServer, years: int = 11, address: str = ADA) -> None:
    assert asked(browser, years, address).headers["Location"] == "/signin/code"
    assert post(browser, "/signin/code", code=code_in(peer)).headers["Location"] == "/learn"


def count(house: House, desk: Desk, what: str) -> int:
    with house.database.tenant(desk.district.id) as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {what}")).scalar_one())
