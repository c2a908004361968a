"""A grade leaves by the disclose gate: with an entry for each that is sent, and for each that is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import request, request_started

from lti_server.ids import PersonId
from lti_server.lti.grade_columns import GradeColumns
from lti_server.lti.platform_profiles import RESULT
from lti_server.privacy import log, schedule
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional.street import Street, street

Change = Callable[[Street], object]


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


def _contract(**terms: Any) -> Change:
    return lambda on: world.sign(on.house, on.district, world.contract(on.house, **terms))


def _ended(on: Street) -> None:
    assert isinstance(on.house.clock, FakeClock)
    on.house.clock.pass_s(366 * 86_400 * 4)


def _restricted(on: Street) -> None:
    asked = Asked(by="operator", act="person restrict", reason="The family asked.")
    on.house.rights.correct.restrict(on.district.id, _pupil(on), Recipients.GRADEBOOK, asked)


def _blocked(on: Street) -> None:
    on.house.rights.blocks.of_person(on.district.id, _pupil(on), by="test")


def _suspended(on: Street) -> None:
    (registered,) = on.house.registrations.every(on.district.id)
    on.house.grants.withdraw.suspend(on.district.id, registered.grant_id, by="test")


def _pupil(on: Street) -> PersonId:
    (found,) = {row.person_id for row in on.deliveries()}
    return PersonId(found)


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """The paths of all requests from here on, as whoever is asked sees them."""
    paths: list[str] = []

    def noted(_: object, **__: object) -> None:
        paths.append(request.path)

    with request_started.connected_to(noted):
        yield paths


@pytest.mark.parametrize("act", ["grade read", "grade"])
@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        pytest.param(_contract(without=(schedule.APP_ID,)), "parked", "element", id="an id that may not leave"),
        pytest.param(_contract(more="providers: {lti: {gradebook: false}}"), "parked", "gradebook", id="no gradebook"),
        pytest.param(_contract(more="providers: {clever: {}}"), "parked", "provider", id="another provider alone"),
        pytest.param(_ended, "parked", "no-contract", id="a contract that ended"),
        pytest.param(_restricted, "parked", "restricted", id="a restriction"),
        pytest.param(_blocked, "parked", None, id="a block"),
        pytest.param(_suspended, "queued", None, id="a suspension"),
    ],
)
def test_what_changes_on_the_way_stops_the_question_and_the_score(
    on: Street, asked: list[str], monkeypatch: pytest.MonkeyPatch, act: str, change: Change, state: str,
    reason: str | None,
) -> None:  # fmt: skip
    token = on.token()
    if act == "grade read":  # the LMS is asked where something of ours may stand
        on.save(token)
        assert on.deliver() == "delivered"
        assert isinstance(on.house.clock, FakeClock)
        on.house.clock.pass_s(2)
    on.save(token, 1)
    standing = on.standing()
    # It changes after the first look and before anything of the pupil is told: each asks for itself.
    place = GradeColumns.place

    def changed(self: GradeColumns, *args: Any, **named: Any) -> Any:
        found = place(self, *args, **named)
        change(on)
        asked.clear()
        return found

    monkeypatch.setattr(GradeColumns, "place", changed)
    assert on.deliver() == state
    assert asked == []
    assert on.standing() == standing
    refused = [said["reason"] for row, said in entries(on, act) if row.decision == "refused"]
    assert refused == ([] if reason is None else [reason])
