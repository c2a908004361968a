"""A district whose LMS tells of its classes on loopback: fixtures for the folders that import them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from lti_server.app import House, build_house
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.peers.member_list import MemberList, listing


@pytest.fixture
def peer() -> Iterator[MemberList]:
    with listing(MemberList()) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, peer: MemberList) -> Iterator[House]:
    """A house that may call the peer on its loopback port."""
    host = peer.address.removeprefix("http://")
    found = build_house(dataclasses.replace(settings, insecure_hosts=frozenset({host})), database_url, clock)
    peer.tool_jwks = found.tool_keys.public_jwks
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House) -> District:
    return world.district(house)


@pytest.fixture
def platform(house: House, district: District, peer: MemberList) -> Registered:
    return world.register(house, district, peer)
