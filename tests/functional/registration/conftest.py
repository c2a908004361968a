"""A server with a district, an invitation, and two platforms that would register themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.peers.registering_platform import RegisteringPlatform, serving


@pytest.fixture
def lms() -> Iterator[RegisteringPlatform]:
    with serving(RegisteringPlatform()) as found:
        yield found


@pytest.fixture
def elsewhere() -> Iterator[RegisteringPlatform]:
    with serving(RegisteringPlatform()) as found:
        yield found


@pytest.fixture
def house(
    settings: Settings, database_url: str, clock: FakeClock, lms: RegisteringPlatform, elsewhere: RegisteringPlatform
) -> Iterator[House]:
    hosts = frozenset({lms.host, elsewhere.host})
    found = build_house(dataclasses.replace(settings, insecure_hosts=hosts), database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House) -> District:
    return world.district(house)


@pytest.fixture
def invitation(house: House, district: District) -> str:
    return house.registration_invitations.invite(district.id)[0]
