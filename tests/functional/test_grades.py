"""The grade goes back: the latest score, once in effect, whatever the LMS answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from lti_server_demo_lms.faults import Answer

from lti_server.app import run_worker
from lti_server.errors import GrantRevoked
from lti_server.lti.grades import DeliverGrade
from lti_server.privacy import grants
from lti_server.progress import outbox
from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import Street, street


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


@pytest.fixture
def token(on: Street) -> str:
    return on.token()


def test_a_score_stands_in_the_gradebook_after_the_worker_ran(on: Street, token: str) -> None:
    on.save(token)
    run_worker(on.house, until_idle=True)
    (score,) = on.standing()
    assert score["scoreGiven"] == pytest.approx(on.grade_of(1), abs=0.01)
    assert score["userId"] == on.pupils[0].id
    assert score["activityProgress"] == "InProgress"
    assert on.deliveries()[0].state == "delivered"


def test_the_latest_of_many_scores_is_what_stands(on: Street, token: str, clock: FakeClock) -> None:
    for activity in range(len(on.house.catalogue.get("message-in-bits").activities)):
        on.save(token, activity)
        on.deliver()
        clock.pass_s(2)
    assert on.deliver() == "delivered"
    (score,) = on.standing()
    assert (score["scoreGiven"], score["activityProgress"]) == (100, "Completed")


def test_two_scores_in_one_second_take_two_seconds_and_none_is_refused(
    on: Street, token: str, clock: FakeClock
) -> None:
    on.save(token, 0)
    assert on.deliver() == "delivered"
    on.save(token, 1)
    assert on.deliver() == "queued"  # its second has not come yet
    clock.pass_s(1.1)
    assert on.deliver() == "delivered"
    (score,) = on.standing()
    assert score["scoreGiven"] == pytest.approx(on.grade_of(2), abs=0.01)


def test_a_score_that_changes_nothing_is_not_sent_again(on: Street, token: str) -> None:
    on.save(token)
    on.deliver()
    before = on.deliveries()[0].score_at
    on.save(token, score=0.2, completed=False)
    assert on.deliveries()[0].score_at == before
    assert on.deliveries()[0].state == "delivered"


def test_a_score_that_was_taken_before_a_crash_is_not_sent_twice(on: Street, token: str, clock: FakeClock) -> None:
    on.save(token)
    on.lms.faults.cut_after_score = 1
    assert on.deliver() == "queued"
    clock.pass_s(5)
    assert on.deliver() == "delivered"  # the LMS answered 409, and its results hold this very score
    assert len(on.standing()) == 1


def test_a_refused_token_is_renewed_once(on: Street, token: str) -> None:
    on.save(token)
    on.lms.faults.score = [Answer(401)]
    assert on.deliver() == "delivered"


def test_a_token_refused_twice_parks_the_score_with_a_reason(on: Street, token: str) -> None:
    on.save(token)
    on.lms.faults.score = [Answer(401), Answer(401)]
    assert on.deliver() == "parked"
    assert "credentials" in on.deliveries()[0].reason


@pytest.mark.parametrize("status", [403, 422])
def test_a_refusal_parks_the_score_with_words_for_an_administrator(on: Street, token: str, status: int) -> None:
    on.save(token)
    on.lms.faults.score = [Answer(status)]
    assert on.deliver() == "parked"
    reason = on.deliveries()[0].reason
    assert "LMS" in reason
    assert on.pupils[0].name not in reason
    assert on.pupils[0].id not in reason


def test_retry_after_is_honoured(on: Street, token: str, clock: FakeClock) -> None:
    on.save(token)
    on.lms.faults.score = [Answer(429, {"Retry-After": "90"})]
    run_worker(on.house, until_idle=True)
    assert on.deliveries()[0].state == "queued"
    with on.house.database.tenant(on.district.id) as connection:
        at = connection.execute(
            sa.text("SELECT max(scheduled_at) FROM procrastinate_jobs WHERE task_name = 'grades.deliver'")
        ).scalar_one()
    assert (at - clock.now()).total_seconds() == pytest.approx(90, abs=1)
    assert on.deliver() == "delivered"


def test_an_lms_that_is_down_is_asked_again_ever_later_and_then_given_up(on: Street, token: str) -> None:
    on.save(token)
    on.lms.faults.token = [Answer(500)] * 41
    for _ in range(40):
        assert on.deliver() == "queued"
    assert on.deliver() == "parked"


def test_a_column_that_was_deleted_is_made_again(on: Street, token: str, clock: FakeClock) -> None:
    on.save(token)
    on.deliver()
    course = on.lms.config.world.districts[0].courses[0]
    ((item, _),) = on.lms.store.line_items("north-valley", course.id)
    on.lms.store.drop_line_item(item)
    clock.pass_s(5)
    on.save(token, 1)
    assert on.deliver() == "delivered"
    assert on.columns() == 1


def test_many_pupils_at_once_make_one_column(on: Street) -> None:
    tokens = [on.token(pupil) for pupil in range(4)]
    for token in tokens:
        on.save(token)
    jobs = [
        threading.Thread(target=on.house.handlers()["grades.deliver"], args=(str(on.district.id), str(row.id)))
        for row in on.deliveries()
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert on.columns() == 1
    assert len(on.standing()) == 4


def test_a_revoked_platform_gets_no_more_scores(on: Street, token: str) -> None:
    on.save(token)
    (registered,) = on.house.registrations.every(on.district.id)
    on.house.registrations.remove(registered.id)
    assert on.deliver() == "parked"
    assert on.standing() == []


def called_by(on: Street, client_id: str) -> None:
    """Let the tool call itself by this name: the LMS knows one alone."""
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(sa.text("UPDATE registration SET client_id = :id"), {"id": client_id})


def test_a_suspension_keeps_the_score_and_resuming_sends_it(on: Street, token: str) -> None:
    on.save(token)
    (registered,) = on.house.registrations.every(on.district.id)
    on.house.grants.withdraw.suspend(on.district.id, registered.grant_id, by="test")
    assert on.deliver() == "queued"
    assert on.standing() == []
    with on.house.database.anyone() as connection:
        connection.execute(sa.text("DELETE FROM procrastinate_jobs WHERE task_name = 'grades.deliver'"))
    on.house.grants.withdraw.resume(on.district.id, registered.grant_id, by="test")
    with on.house.database.anyone() as connection:
        jobs = connection.execute(sa.text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'grades.deliver'"))
        assert jobs.scalar_one() == 1
    assert on.deliver() == "delivered"
    assert len(on.standing()) == 1


def test_an_lms_that_forgot_the_tool_suspends_it_and_loses_no_score(on: Street, token: str) -> None:
    on.save(token)
    (registered,) = on.house.registrations.every(on.district.id)
    called_by(on, "another-client")
    assert on.deliver() == "queued"
    called_by(on, registered.platform.client_id)
    (registered,) = on.house.registrations.every(on.district.id)
    assert registered.state == "suspended"
    on.house.grants.withdraw.resume(on.district.id, registered.grant_id, by="test")
    assert on.deliver() == "delivered"


def test_a_worker_that_stands_still_while_it_settles_a_score_keeps_no_withdrawal_waiting(
    on: Street, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on.save(token)
    (registered,) = on.house.registrations.every(on.district.id)
    settle = outbox.settle

    def withdrawn_meanwhile(connection: sa.Connection, *said: Any) -> None:
        settle(connection, *said)
        on.house.grants.withdraw.begin(on.district.id, registered.grant_id, by="test", reason="over")

    def revoked(*_: Any) -> None:
        raise GrantRevoked("The connection was withdrawn.")

    monkeypatch.setattr(DeliverGrade, "_deliver", revoked)
    monkeypatch.setattr(outbox, "settle", withdrawn_meanwhile)
    assert on.deliver() == "parked"
    with on.house.database.tenant(on.district.id) as connection:
        assert grants.state_of(connection, registered.grant_id) == "revoking"


def test_a_rollback_leaves_no_job(on: Street, token: str) -> None:
    def fail() -> None:
        with on.house.database.tenant(on.district.id) as connection:
            on.house.queue.defer(connection, "grades.deliver", district_id="x", delivery_id="y")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with on.house.database.tenant(on.district.id) as connection:
        waiting = connection.execute(
            sa.text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'grades.deliver'")
        ).scalar_one()
    assert waiting == 0
