"""What stands in the LMS is read before it is written over: a teacher's grade stays, and ours does not get lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from lti_server_demo_lms.faults import Answer
from lti_server_demo_lms.profiles import PROFILES

from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import Street, street


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


@pytest.fixture
def token(on: Street, clock: FakeClock) -> str:
    """Of a pupil with one activity done, whose grade arrived some time ago."""
    token = on.token()
    on.save(token)
    assert on.deliver() == "delivered"
    later(on, clock)
    return token


def later(on: Street, clock: FakeClock) -> None:
    """Two minutes after the last score arrived; the LMS's own clock is real, and goes along for seconds alone."""
    clock.pass_s(2)
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(sa.text("UPDATE grade_delivery SET delivered_at = delivered_at - interval '2 minutes'"))


def regrade(on: Street, clock: FakeClock, points: float, out_of: float = 100) -> None:
    """The teacher's hand in the LMS's gradebook."""
    ((item, _),) = on.line_items().values()
    body = {
        "userId": on.pupils[0].id, "scoreGiven": points, "scoreMaximum": out_of, "gradingProgress": "FullyGraded",
        "activityProgress": "Completed",
    }  # fmt: skip
    assert on.lms.store.take_score(item, on.pupils[0].id, body, clock.now())


def test_a_teachers_grade_is_left_as_it_is_and_the_inspector_says_so(on: Street, token: str, clock: FakeClock) -> None:
    regrade(on, clock, 7)
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "regraded"
    assert on.standing()[0]["scoreGiven"] == 7
    (row,) = on.deliveries()
    assert "teacher changed this grade" in row.reason
    assert row.score == pytest.approx(on.grade_of(2) / 100)  # the pupil's own is kept here


def test_the_teachers_grade_stands_whatever_the_pupil_does_later(on: Street, token: str, clock: FakeClock) -> None:
    regrade(on, clock, 7)
    for activity in range(1, len(on.house.catalogue.get("message-in-bits").activities)):
        clock.pass_s(2)
        on.save(token, activity)
        assert on.deliver() == "regraded"
    assert on.standing()[0]["scoreGiven"] == 7


def test_a_teacher_who_takes_the_change_back_gets_the_pupils_grade(on: Street, token: str, clock: FakeClock) -> None:
    given = on.standing()[0]["scoreGiven"]
    regrade(on, clock, 7)
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "regraded"
    clock.pass_s(2)
    regrade(on, clock, given)
    clock.pass_s(2)
    on.save(token, 2)
    assert on.deliver() == "delivered"
    assert on.standing()[0]["scoreGiven"] == pytest.approx(on.grade_of(3), abs=0.01)


@pytest.mark.parametrize("out_of", [100, 10, 1])
def test_our_own_grade_as_the_gradebook_rounds_it_is_no_regrade(
    on: Street, token: str, clock: FakeClock, out_of: float
) -> None:
    regrade(on, clock, round(on.grade_of(1) * out_of / 100, 2), out_of)
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "delivered"


def test_a_gradebook_that_takes_its_time_is_asked_again_before_anything_is_said(
    on: Street, token: str, clock: FakeClock
) -> None:
    on.save(token, 1)
    assert on.deliver() == "delivered"
    regrade(on, clock, on.grade_of(0))
    clock.pass_s(2)
    on.save(token, 2)
    assert on.deliver() == "queued"
    later(on, clock)
    assert on.deliver() == "regraded"


def test_a_score_whose_answer_was_lost_is_no_teachers(on: Street, token: str, clock: FakeClock) -> None:
    on.lms.faults.cut_after_score = 1
    on.save(token, 1)
    assert on.deliver() == "queued"  # the LMS took it, and nobody here knows
    clock.pass_s(2)
    on.save(token, 2)
    assert on.deliver() == "delivered"
    assert on.standing()[0]["scoreGiven"] == pytest.approx(on.grade_of(3), abs=0.01)


def test_where_results_cannot_be_read_the_score_is_sent(on: Street, token: str, clock: FakeClock) -> None:
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(sa.text("UPDATE resource_link SET ags_scopes = array_remove(ags_scopes, :scope)"),
                           {"scope": "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"})  # fmt: skip
    on.lms.faults.results = [Answer(500)]  # would be waited for, if it were asked
    on.save(token, 1)
    assert on.deliver() == "delivered"


def test_a_platform_that_refuses_its_results_still_gets_the_score(on: Street, token: str) -> None:
    on.lms.faults.results = [Answer(403)]
    on.save(token, 1)
    assert on.deliver() == "delivered"


def test_scores_that_are_withdrawn_leave_the_gradebook(on: Street, token: str, clock: FakeClock) -> None:
    with on.house.database.tenant(on.district.id) as connection:
        person = connection.execute(sa.text("SELECT person_id FROM grade_delivery")).scalar_one()
        assert on.house.outbox.withdraw(connection, on.district.id, person) == 1
    assert on.deliver() == "delivered"
    (score,) = on.standing()
    assert "scoreGiven" not in score
    clock.pass_s(2)
    on.save(token, 1)  # the pupil goes on: a grade again
    assert on.deliver() == "delivered"
    assert on.standing()[0]["scoreGiven"] == pytest.approx(on.grade_of(2), abs=0.01)


def test_a_score_that_never_left_is_withdrawn_without_a_word_to_the_lms(on: Street, clock: FakeClock) -> None:
    on.save(on.token(1))
    with on.house.database.tenant(on.district.id) as connection:
        person = connection.execute(sa.text("SELECT person_id FROM grade_delivery")).scalar_one()
        assert on.house.outbox.withdraw(connection, on.district.id, person, "message-in-bits") == 0
    assert on.deliveries() == []


def test_a_teachers_grade_is_not_withdrawn(on: Street, token: str, clock: FakeClock) -> None:
    regrade(on, clock, 7)
    clock.pass_s(2)
    with on.house.database.tenant(on.district.id) as connection:
        person = connection.execute(sa.text("SELECT person_id FROM grade_delivery")).scalar_one()
        on.house.outbox.withdraw(connection, on.district.id, person)
    assert on.deliver() == "regraded"
    assert on.standing()[0]["scoreGiven"] == 7


@pytest.mark.parametrize("vendor", sorted(set(PROFILES) - {"plain"}))
def test_at_each_vendors_a_better_score_follows_and_a_teachers_grade_stays(
    vendor: str, settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    with street(settings, database_url, clock, tmp_path / vendor, PROFILES[vendor]) as on:
        token = on.token()
        for activity in range(2):
            on.save(token, activity)
            assert on.deliver() == "delivered"
            later(on, clock)
        assert on.standing()[0]["scoreGiven"] == pytest.approx(on.grade_of(2), abs=0.01)
        regrade(on, clock, 7)
        clock.pass_s(2)
        on.save(token, 2)
        assert on.deliver() == "regraded"
        assert on.columns() == 1
        on.lms.faults.score = [Answer(PROFILES[vendor].not_gradable.status)]
        with on.house.database.tenant(on.district.id) as connection:
            connection.execute(sa.text("DELETE FROM grade_delivery"))
        on.save(on.token(1))
        assert on.deliver() == "parked"
        assert "LMS" in on.deliveries()[0].reason
