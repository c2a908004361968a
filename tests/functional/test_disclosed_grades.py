"""A grade leaves by the disclose gate: with an entry for each that is sent, and for each that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lti_server.privacy import log, schedule
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional.street import Street, street


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


def entries(on: Street) -> list[tuple[Any, dict[str, object]]]:
    with on.house.database.tenant(on.district.id) as connection:
        rows = connection.execute(sa.text("SELECT * FROM log_entry WHERE act = 'grade' ORDER BY id")).all()
    return [(row, log.payload_of(on.district.keys, bytes(row.payload))) for row in rows]


def test_a_grade_that_is_sent_is_one_entry_with_party_interest_purpose_elements_and_population(on: Street) -> None:
    on.save(on.token())
    assert on.deliver() == "delivered"
    ((row, said),) = entries(on)
    assert (row.decision, row.purpose, row.interest, row.population) == (
        "allowed", "instruction", "school_official", "person",
    )  # fmt: skip
    assert row.actor.startswith("grant:")
    assert sorted(row.elements) == sorted([schedule.APP_ID, schedule.PERFORMANCE])
    assert row.object_id is not None
    assert said["to"] == "gradebook"
    assert len(str(said["policy"])) == 64


def test_every_score_that_leaves_is_an_entry(on: Street, clock: FakeClock) -> None:
    token = on.token()
    for activity in range(3):
        on.save(token, activity)
        assert on.deliver() == "delivered"
        clock.pass_s(2)
    assert [row.decision for row, _ in entries(on)] == ["allowed"] * 3


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"more": "providers: {lti: {gradebook: false}}"}, "gradebook"),
        ({"more": "providers: {clever: {}}"}, "provider"),
        ({"without": (schedule.PERFORMANCE,)}, "element"),
        ({"without": (schedule.APP_ID,)}, "element"),
    ],
)
def test_a_contract_that_narrows_stops_the_grade_that_waits_and_the_refusal_is_logged(
    on: Street, terms: dict[str, Any], reason: str
) -> None:
    on.save(on.token())
    world.sign(on.house, on.district, world.contract(on.house, **terms))
    assert on.deliver() == "parked"
    assert on.standing() == []
    ((row, said),) = entries(on)
    assert (row.decision, said["reason"]) == ("refused", reason)


def test_a_grade_of_a_contract_that_ended_does_not_leave(on: Street, clock: FakeClock) -> None:
    on.save(on.token())
    clock.pass_s(366 * 86_400 * 4)
    assert on.deliver() == "parked"
    assert [(row.decision, said["reason"]) for row, said in entries(on)] == [("refused", "no-contract")]
