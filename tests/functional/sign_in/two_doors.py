"""A district whose people come by its LMS and by an OpenID provider, and their way to link both."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.own_page import enter, opened, post, ticket_of
from tests.functional.sign_in.conftest import Provider, local, sign_in
from tests.peers.bare_platform import Platform, serving

ADDRESS = re.compile(r'<a href="([^"]+)" role="button">')
TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
ROLES = "https://purl.imsglobal.org/spec/lti/claim/roles"


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serving(Platform()) as found:
        yield found


@pytest.fixture
def house(
    settings: Settings, database_url: str, clock: FakeClock, provider: Provider, platform: Platform
) -> Iterator[House]:
    hosts = frozenset({provider.host, platform.address.removeprefix("http://")})
    found = build_house(dataclasses.replace(settings, insecure_hosts=hosts), database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, signing_in: SignInHouse, provider: Provider, platform: Platform) -> District:
    made = world.district(house)
    world.register(house, made, platform)
    signing_in.connections.connect(made.id, "oidc", provider.config(), by="test")
    return made


def by_lms(browser: FlaskClient, platform: Platform, house: House, **claims: object) -> FlaskClient:
    """Somebody launches a lesson, and opens their own page."""
    return opened(browser, platform, house, **claims)


def by_provider(browser: FlaskClient, provider: Provider, sub: str) -> FlaskClient:
    """Somebody signs in at the provider, and opens their own page."""
    assert sign_in(browser, provider, sub).status_code == 303
    assert enter(browser, ticket_of(browser.get("/learn").text)).status_code == 303
    return browser


def begun(browser: FlaskClient, provider: str = "oidc") -> str:
    """The address at the provider to which the page of an intent leads."""
    page = post(browser, "/me/accounts/connect", provider=provider)
    assert page.status_code == 200, page.text
    found = ADDRESS.search(page.text)
    assert found
    return unescape(found[1])


def linked(browser: FlaskClient, provider: Provider, sub: str, **more: str) -> TestResponse:
    """The whole way there and back, of somebody whose own page is open."""
    return browser.get(local(provider.back(begun(browser), sub)), headers=more)


def confirmed(browser: FlaskClient) -> TestResponse:
    page = browser.get("/me/accounts/confirm")
    token = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert token, page.text
    return browser.post("/me/accounts/confirm", data={"csrf_token": token[1]})


def rows(house: House, district: District, statement: str) -> list[sa.Row[Any]]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement)))


def whose(house: House, district: District) -> dict[str, int]:
    """How many people there are, and how many ways in each has: the numbers alone."""
    found = rows(
        house, district,
        "SELECT count(i.id) FROM person p LEFT JOIN identity i ON i.person_id = p.id AND i.ended_at IS NULL"
        " WHERE p.merged_into IS NULL GROUP BY p.id ORDER BY 1",
    )  # fmt: skip
    return {"people": len(found), "ways": sum(count for (count,) in found)}


__all__ = [
    "ROLES",
    "TEACHER",
    "Platform",
    "begun",
    "by_lms",
    "by_provider",
    "confirmed",
    "district",
    "house",
    "linked",
    "platform",
    "rows",
    "whose",
]  # fmt: skip
