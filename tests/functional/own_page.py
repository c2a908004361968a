"""A pupil's way from a launched lesson to `/me`, for the tests that walk it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import Platform

TICKET = re.compile(r'action="([^"]*/me/open)[^"]*"[^>]*>\s*<input type="hidden" name="ticket" value="([^"]*)"')
FORM = re.compile('name="csrf_token" value="([^"]+)"')


def ticket_of(page: str) -> str:
    """The ticket that stands in a lesson's page."""
    found = TICKET.search(page)
    assert found, page
    return unescape(found[2])


def launched(client: FlaskClient, platform: Platform, house: House, **claims: object) -> str:
    """A whole launch in one browser; answers the ticket of its lesson's page."""
    answer = world.launch(client, platform, house, **claims)
    assert answer.status_code == 303, answer.text
    return ticket_of(client.get(answer.location).text)


def enter(client: FlaskClient, ticket: str, **headers: str) -> TestResponse:
    return client.post("/me/open", data={"ticket": ticket}, headers=headers)


def opened(client: FlaskClient, platform: Platform, house: House, **claims: object) -> FlaskClient:
    """The browser of somebody whose own page is open."""
    assert enter(client, launched(client, platform, house, **claims)).status_code == 303
    return client


def post(client: FlaskClient, path: str, **form: str) -> TestResponse:
    """A form of the page, sent with its token."""
    token = FORM.search(client.get("/me").text)
    assert token
    return client.post(path, data={"csrf_token": token[1], **form})


def one(house: House, district: District, query: str) -> Any:
    """One value of the district's rows."""
    with house.database.tenant(district.id) as connection:
        return connection.execute(sa.text(query)).scalar_one()


def as_owner(house: House, statement: str) -> Any:
    """As the owner of the tables, for what the application may not do."""
    engine = sa.create_engine(house.database.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as owner:
        done = owner.execute(sa.text(statement))
        found = done.scalar_one() if done.returns_rows else None
    engine.dispose()
    return found
