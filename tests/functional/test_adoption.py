"""A new connection takes over who came by a revoked one: explicitly, once, in time, and nobody else."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.errors import Conflict, NotFound
from lti_server.ids import GrantId, new_id
from lti_server.lti.registrations import Registered
from lti_server.privacy import log
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.disposition_days import DAY_S, LIMIT, district
from tests.peers.bare_platform import Platform

__all__ = ["district"]


@pytest.fixture
def former(house: House, district: District, app: Flask, platform: Platform) -> Registered:
    """A connection by which two pupils came, and which was revoked."""
    (found,) = house.registrations.every(district.id)
    for name in ("pupil-1", "pupil-2"):
        assert world.launch(app.test_client(), platform, house, sub=name).status_code == 303
    house.grants.withdraw.begin(district.id, found.grant_id, by="test", reason="over")
    assert house.grants.withdraw.finish(district.id, found.grant_id)
    return found


def again(house: House, district: District, platform: Platform) -> Registered:
    return world.register(house, district, platform)


def adopt(house: House, district: District, former: Registered, new: Registered) -> Any:
    return house.grants.adopt(district.id, former.grant_id, new.grant_id, by="test", reason="the same LMS")


def people(house: House, district: District) -> dict[Any, int]:
    """Every person, and how many ways in they have."""
    statement = sa.text(
        "SELECT p.id, count(i.id) FILTER (WHERE i.ended_at IS NULL) AS ways FROM person p"
        " LEFT JOIN identity i ON i.person_id = p.id GROUP BY p.id"
    )
    with house.database.tenant(district.id) as connection:
        return {row.id: row.ways for row in connection.execute(statement)}


def test_who_comes_back_is_who_they_were(
    house: House, district: District, former: Registered, app: Flask, platform: Platform
) -> None:
    before = people(house, district)
    assert set(before.values()) == {0}
    new = again(house, district, platform)
    assert new.grant_id != former.grant_id
    found = adopt(house, district, former, new)
    assert (found.identities, found.left) == (2, 0)
    assert world.launch(app.test_client(), platform, house, sub="pupil-1").status_code == 303
    assert people(house, district) == dict.fromkeys(before, 1)


def test_without_it_who_comes_back_is_somebody_new(
    house: House, district: District, former: Registered, app: Flask, platform: Platform
) -> None:
    again(house, district, platform)
    assert world.launch(app.test_client(), platform, house, sub="pupil-1").status_code == 303
    assert len(people(house, district)) == 3


def test_who_came_back_before_stays_somebody_new(
    house: House, district: District, former: Registered, app: Flask, platform: Platform
) -> None:
    new = again(house, district, platform)
    assert world.launch(app.test_client(), platform, house, sub="pupil-1").status_code == 303
    found = adopt(house, district, former, new)
    assert (found.identities, found.left) == (1, 1)
    assert sorted(people(house, district).values()) == [0, 1, 1]


def test_after_the_date_of_disposition_it_is_refused(
    house: House, district: District, former: Registered, platform: Platform, clock: FakeClock
) -> None:
    new = again(house, district, platform)
    clock.pass_s(61 * DAY_S)
    with pytest.raises(Conflict, match="somebody new"):
        adopt(house, district, former, new)
    assert set(people(house, district).values()) == {0}


def test_on_its_last_day_it_is_not(
    house: House, district: District, former: Registered, platform: Platform, clock: FakeClock
) -> None:
    new = again(house, district, platform)
    clock.pass_s(60 * DAY_S)
    assert adopt(house, district, former, new).identities == 2


def test_a_contract_without_a_date_allows_none(house: House, platform: Platform, app: Flask) -> None:
    bare = world.district(house, "bare")
    made = world.register(house, bare, platform)
    house.grants.withdraw.begin(bare.id, made.grant_id, by="test", reason="over")
    assert house.grants.withdraw.finish(bare.id, made.grant_id)
    with pytest.raises(Conflict, match="sets no time"):
        adopt(house, bare, made, again(house, bare, platform))


def test_it_is_done_once(house: House, district: District, former: Registered, platform: Platform) -> None:
    new = again(house, district, platform)
    adopt(house, district, former, new)
    with pytest.raises(Conflict, match="already"):
        adopt(house, district, former, new)


def test_neither_a_living_connection_nor_one_in_no_force_takes_part(
    house: House, district: District, former: Registered, platform: Platform
) -> None:
    new = again(house, district, platform)
    with pytest.raises(Conflict):
        adopt(house, district, new, new)
    house.grants.withdraw.suspend(district.id, new.grant_id, by="test")
    with pytest.raises(Conflict, match="in force"):
        adopt(house, district, former, new)
    with pytest.raises(NotFound):
        adopt(house, district, dataclasses.replace(former, grant_id=GrantId(new_id())), new)


def test_another_client_knows_nobody_by_the_same_id(
    house: House, district: District, former: Registered, platform: Platform
) -> None:
    other = again(house, district, dataclasses.replace(platform, client_id="client-9"))
    found = adopt(house, district, former, other)
    assert (found.identities, found.left) == (0, 2)


def test_another_districts_connection_takes_nobody_over(
    house: House, district: District, former: Registered, platform: Platform
) -> None:
    south = world.district(house, "south", terms=world.contract(house, more=LIMIT))
    other = world.register(house, south, dataclasses.replace(platform, deployment_id="deployment-9"))
    with pytest.raises(NotFound):
        adopt(house, district, former, other)
    with pytest.raises(NotFound):
        adopt(house, south, former, other)


def test_the_log_says_who_took_over_what(
    house: House, district: District, former: Registered, platform: Platform
) -> None:
    adopt(house, district, former, again(house, district, platform))
    with house.database.tenant(district.id) as connection:
        row = connection.execute(sa.text("SELECT actor, payload FROM log_entry WHERE act = 'grant adopt'")).one()
    said = log.payload_of(district.keys, bytes(row.payload))
    assert row.actor == "test"
    assert said == {
        "former": str(former.grant_id), "reason": "the same LMS", "identities": 2, "left": 0,
    }  # fmt: skip
