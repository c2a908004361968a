"""The whole application on a real database, and a platform that serves its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House, build_house, create_app
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import Platform, serving


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serving(Platform()) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, platform: Platform) -> Iterator[House]:
    """A house that may call the platform on its loopback port."""
    host = platform.address.removeprefix("http://")
    found = build_house(dataclasses.replace(settings, insecure_hosts=frozenset({host})), database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, platform: Platform) -> District:
    """A district under contract, whose LMS is the platform."""
    made = world.district(house)
    world.register(house, made, platform)
    return made


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(house)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
