"""Syncs beside launches and beside each other: one person, one membership, whoever comes first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.accounts import store as people
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.roster.service import Outcome
from tests import world
from tests.peers.bare_platform import MEMBERSHIP
from tests.peers.member_list import MemberList, listing

SERVICE = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"


@pytest.fixture
def platform() -> Iterator[MemberList]:
    with listing(MemberList()) as found:
        yield found


@pytest.fixture
def school(app: Flask, house: House, platform: MemberList, district: District) -> MemberList:
    """A course of three pupils, one of whom launched."""
    platform.tool_jwks = house.tool_keys.public_jwks
    platform.courses["course-1"] = [{"user_id": f"pupil-{i}", "roles": ["Learner"]} for i in range(1, 4)]
    assert launch(app, platform, house, "pupil-1") == 303
    return platform


def launch(app: Flask, school: MemberList, house: House, who: str) -> int:
    service = {"context_memberships_url": school.url("course-1"), "service_versions": ["2.0"]}
    more = {"sub": who, "lti_roles": [MEMBERSHIP + "Learner"], SERVICE: service}
    return world.launch(app.test_client(), school, house, **more).status_code


def numbers(house: House, district: District) -> list[int]:
    with house.database.tenant(district.id) as connection:
        tables = ("person", "identity", "membership")
        return [connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]


def wait_for_a_waiting_lock(house: House) -> None:
    pause = threading.Event()
    select = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    for _ in range(1000):
        with house.database.anyone() as connection:
            if connection.execute(select).scalar_one():
                return
        pause.wait(0.01)
    raise AssertionError("nobody waits")


def test_a_pupil_who_launches_for_the_first_time_in_the_middle_of_a_sync_is_one_person(
    app: Flask, house: House, district: District, school: MemberList, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, arrivals = people.create_many, []
    with ThreadPoolExecutor(1) as others:

        def make_meanwhile(*given: Any) -> Any:
            made = make(*given)
            arrivals.append(others.submit(launch, app, school, house, "pupil-2"))
            wait_for_a_waiting_lock(house)
            return made

        monkeypatch.setattr(people, "create_many", make_meanwhile)
        assert house.sync_roster()(district).state == "applied"
        assert [arrival.result() for arrival in arrivals] == [303]
    assert numbers(house, district) == [3, 3, 3]


def test_two_syncs_at_once_run_one_after_the_other(house: House, district: District, school: MemberList) -> None:
    def sync(_: int) -> Outcome:
        return house.sync_roster()(district)

    with ThreadPoolExecutor(2) as both:
        added = sorted(found.counts.memberships.added for found in both.map(sync, range(2)))
    assert added == [0, 2]
    assert numbers(house, district) == [3, 3, 3]


def test_a_run_whose_process_died_is_told_as_failed_by_the_next(
    house: House, district: District, school: MemberList
) -> None:
    first = house.sync_roster()(district).run_ids[0]
    states = sa.text("SELECT state FROM roster_run ORDER BY id = :first DESC")
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE roster_run SET state = 'running', finished_at = NULL"))
    house.sync_roster()(district)
    with house.database.tenant(district.id) as connection:
        assert list(connection.execute(states, {"first": first}).scalars()) == ["failed", "applied"]
