"""ClassLink's list of the districts that share their roster, where the operator has a partner's key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.peers.classlink import NORTH, SOUTH, ClassLink, running


@pytest.fixture
def classlink() -> Iterator[ClassLink]:
    with running(ClassLink()) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, classlink: ClassLink) -> Iterator[House]:
    found = build_house(dataclasses.replace(settings, insecure_hosts=classlink.hosts), database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def states(house: House, signing_in: SignInHouse, classlink: ClassLink) -> Callable[..., list[str]]:
    """Two districts of one application, after so many looks."""
    made: list[District] = []

    def after(looks: int, **more: object) -> list[str]:
        if not made:
            application = {**classlink.application(), "proxy": classlink.api, **more}
            signing_in.connections.application("classlink", application, by="test")
            for slug, number in (("north", NORTH), ("south", SOUTH)):
                made.append(world.district(house, slug))
                signing_in.connections.connect(made[-1].id, "classlink", {"tenant_id": str(number)}, by="test")
        for _ in range(looks):
            signing_in.watch_tenants()
        return [state(house, one) for one in made]

    return after


def state(house: House, district: District) -> str:
    with house.database.tenant(district.id) as connection:
        return str(connection.execute(sa.text("SELECT state FROM grants")).scalar_one())


KEY = {"partner_key": "a key of the partner"}


@pytest.mark.parametrize("gone", ["absent", "switched off"])
def test_a_district_that_is_not_on_the_list_is_suspended_and_goes_on_once_back(
    classlink: ClassLink, states: Callable[..., list[str]], gone: str
) -> None:
    assert states(1, **KEY) == ["active", "active"]
    classlink.applications = {SOUTH: True} if gone == "absent" else {NORTH: False, SOUTH: True}
    assert states(1) == ["suspended", "active"]
    classlink.applications = {NORTH: True, SOUTH: True}
    assert states(1) == ["active", "active"]


def test_an_outage_suspends_at_the_third_look_and_is_over_with_it(
    classlink: ClassLink, states: Callable[..., list[str]]
) -> None:
    classlink.out = True
    assert states(2, **KEY) == ["active", "active"]
    assert states(1) == ["suspended", "suspended"]
    classlink.out = False
    assert states(1) == ["active", "active"]


def test_pages_that_are_smaller_than_asked_for_are_all_read(
    classlink: ClassLink, states: Callable[..., list[str]]
) -> None:
    classlink.applications = {number: True for number in (1, 2, 3, NORTH, 5, SOUTH)}
    classlink.cap = 2
    assert states(1, **KEY) == ["active", "active"]
    assert len([path for _method, path in classlink.asked if path == "/applications"]) == 6


def test_a_wrong_key_is_a_list_that_cannot_be_read(classlink: ClassLink, states: Callable[..., list[str]]) -> None:
    assert states(1, partner_key="another") == ["active", "active"]
    assert states(2) == ["suspended", "suspended"]


def test_without_a_key_nobody_is_judged_by_a_list(classlink: ClassLink, states: Callable[..., list[str]]) -> None:
    classlink.applications = {}
    assert states(5) == ["active", "active"]
    assert classlink.asked == []
