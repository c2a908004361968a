"""Districts that have authorised one application at Clever, which stands on a loopback port."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
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
from tests.functional.sign_in.conftest import begin, local
from tests.peers.clever import NORTH, SOUTH, Clever, running

JSON = {"Accept": "application/problem+json"}
STUDENT = {"legacy_id": "old-1", "sis_id": "sis-1", "dob": "05/06/2014", "grade": "6", "gender": ""}


@pytest.fixture
def clever() -> Iterator[Clever]:
    peer = Clever()
    peer.has_district(NORTH, "North")
    peer.has_district(SOUTH, "South")
    peer.knows("ada", student=STUDENT, teacher=None)
    with running(peer) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, clever: Clever) -> Iterator[House]:
    found = build_house(dataclasses.replace(settings, insecure_hosts=clever.hosts), database_url, clock)
    clever.redirect_uris = [f"{found.settings.base_url}/auth/clever/callback"]
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, signing_in: SignInHouse, clever: Clever) -> District:
    """A district that has connected its id of the operator's application."""
    signing_in.connections.application("clever", clever.application(), by="test")
    made = world.district(house)
    signing_in.connections.connect(made.id, "clever", {"district_id": NORTH}, by="test")
    return made


def rows(house: House, district: District, statement: str) -> list[sa.Row[Any]]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement)))


def come(browser: FlaskClient, clever: Clever, user_id: str = "ada", slug: str = "north") -> TestResponse:
    """The whole way there and back."""
    return browser.get(local(clever.back(begin(browser, slug, "clever"), user_id)), headers=JSON)


@pytest.fixture
def look(signing_in: SignInHouse, clock: FakeClock) -> Callable[[], None]:
    """What the worker does at its times, five minutes after the last."""

    def once() -> None:
        clock.pass_s(300)
        signing_in.watch_tenants()

    return once


@pytest.fixture
def south(house: House, signing_in: SignInHouse, district: District) -> District:
    """Another district of the same application."""
    made = world.district(house, "south")
    signing_in.connections.connect(made.id, "clever", {"district_id": SOUTH}, by="test")
    return made


def standing(house: House, district: District) -> tuple[str, str | None]:
    (found,) = rows(house, district, "SELECT state, suspended_on FROM grants")
    return found.state, found.suspended_on


def grant_of(house: House, district: District) -> Any:
    return rows(house, district, "SELECT id FROM grants")[0].id
