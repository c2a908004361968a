"""A grade leaves by the disclose gate: with an entry for each that is sent, and for each that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lti_server.lti.grade_columns import GradeColumns
from lti_server.lti.platform_profiles import RESULT
from lti_server.lti.results import Results
from lti_server.privacy import log, schedule
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional.street import Street, street


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


def entries(on: Street, act: str = "grade") -> list[tuple[Any, dict[str, object]]]:
    with on.house.database.tenant(on.district.id) as connection:
        rows = connection.execute(sa.text("SELECT * FROM log_entry WHERE act = :act ORDER BY id"), {"act": act}).all()
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


def test_a_grade_that_is_read_is_an_entry_too_for_the_question_names_the_pupil(on: Street, clock: FakeClock) -> None:
    token = on.token()
    on.save(token)
    assert on.deliver() == "delivered"
    assert entries(on, "grade read") == []  # nothing of ours can stand there before the first
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "delivered"
    ((row, said),) = entries(on, "grade read")
    assert (row.decision, row.purpose, row.elements) == ("allowed", "instruction", [schedule.APP_ID])
    assert row.object_id is not None
    assert said["to"] == "gradebook"


def test_where_the_launch_granted_no_reading_nobody_is_named_in_a_question(on: Street, clock: FakeClock) -> None:
    token = on.token()
    on.save(token)
    assert on.deliver() == "delivered"
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(
            sa.text("UPDATE resource_link SET ags_scopes = array_remove(ags_scopes, :scope)"), {"scope": RESULT}
        )
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "delivered"
    assert entries(on, "grade read") == []


def test_a_pupil_whose_id_may_not_leave_any_more_is_not_asked_for(
    on: Street, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = on.token()
    on.save(token)
    assert on.deliver() == "delivered"
    clock.pass_s(2)
    on.save(token, 1)
    # The contract narrows between the first look and the question: each asks the gate for itself.
    place = GradeColumns.place

    def narrowed(self: GradeColumns, *args: Any, **named: Any) -> Any:
        world.sign(on.house, on.district, world.contract(on.house, without=(schedule.APP_ID,)))
        return place(self, *args, **named)

    monkeypatch.setattr(GradeColumns, "place", narrowed)
    monkeypatch.setattr(Results, "of", lambda *_: pytest.fail("the LMS was asked"))
    assert on.deliver() == "parked"
    assert [(row.decision, said["reason"]) for row, said in entries(on, "grade read")] == [("refused", "element")]
