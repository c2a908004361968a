"""A district whose contract says in how many days what a connection left is disposed of."""

from __future__ import annotations

import pytest

from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import Platform

DAY_S = 86_400
LIMIT = 'limits:\n  disposition_days: {value: 60, clause: "Art. IV 6"}\n'


@pytest.fixture
def district(house: House, platform: Platform) -> District:
    made = world.district(house, terms=world.contract(house, more=LIMIT))
    world.register(house, made, platform)
    return made
