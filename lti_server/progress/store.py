"""Attempts and summaries at rest. Every function runs on the caller's transaction, within its tenant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.ids import PersonId, new_id
from lti_server.privacy import schedule
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.reading import Reading, must_allow
from lti_server.privacy.store_gate import must_cover
from lti_server.progress.model import Attempt, Summary, Whose
from lti_server.progress.tables import progress_event, progress_summary

_PUT_EVENT = sa.text(
    """
INSERT INTO progress_event (id, district_id, person_id, attempt_id, lesson_id, activity_id, membership_id, grant_id,
  epoch, score, completed, optimal, duration_s, work, answers, occurred_at, received_at)
VALUES (:id, :district, :person, :attempt, :lesson, :activity, :membership, :grant,
  :epoch, :score, :completed, :optimal, :duration, :work, :answers, :occurred, :received)
ON CONFLICT (person_id, attempt_id) DO NOTHING RETURNING id
"""
)
_ADD_UP = sa.text(
    """
INSERT INTO progress_summary AS s (person_id, lesson_id, activity_id, district_id, grant_id, attempts, best_score,
  completed, optimal, first_completed_at, last_at)
VALUES (:person, :lesson, :activity, :district, :grant, 1, :score,
  :completed, :optimal, CASE WHEN :completed THEN CAST(:occurred AS timestamptz) END, :occurred)
ON CONFLICT (person_id, lesson_id, activity_id) DO UPDATE SET
  attempts = s.attempts + 1,
  best_score = greatest(s.best_score, excluded.best_score),
  completed = s.completed OR excluded.completed,
  optimal = s.optimal OR excluded.optimal,
  first_completed_at = coalesce(s.first_completed_at, excluded.first_completed_at),
  last_at = greatest(s.last_at, excluded.last_at)
"""
)


def add(
    connection: Connection, keys: DistrictKeys, key: PersonKey, whose: Whose, attempt: Attempt, now: datetime
) -> bool:
    """Append an attempt and add it up; False where this attempt is here already, and then nothing changes.

    Raises:
        ContractForbids: the store gate gave no leave for it.
    """
    must_cover(whose.performance, schedule.PERFORMANCE)
    if attempt.work is not None or attempt.answers is not None:
        must_cover(whose.work, schedule.WORK)
    event_id = new_id()
    values: Mapping[str, Any] = {
        "id": event_id,
        "district": keys.district_id,
        "person": whose.person_id,
        "attempt": attempt.attempt_id,
        "lesson": whose.lesson_id,
        "activity": attempt.activity_id,
        "membership": whose.membership_id,
        "grant": whose.grant_id,
        "epoch": whose.epoch,
        "score": attempt.score,
        "completed": attempt.completed,
        "optimal": attempt.optimal,
        "duration": attempt.duration_s,
        "work": _sealed(key, "work", event_id, attempt.work),
        "answers": _sealed(key, "answers", event_id, attempt.answers),
        "occurred": attempt.occurred_at,
        "received": now,
    }
    if connection.execute(_PUT_EVENT, values).one_or_none() is None:
        return False
    connection.execute(_ADD_UP, values)
    return True


def place_of(connection: Connection, person_id: PersonId, attempt_id: UUID) -> tuple[str, str]:
    """The lesson and activity of an attempt that is here."""
    row = connection.execute(
        sa.select(progress_event.c.lesson_id, progress_event.c.activity_id).where(
            progress_event.c.person_id == person_id, progress_event.c.attempt_id == attempt_id
        )
    ).one()
    return row.lesson_id, row.activity_id


def _sealed(key: PersonKey, column: str, event_id: object, text: str | None) -> bytes | None:
    """Free text is under the person's key, each column apart: answers are for teachers alone (A-20)."""
    return None if text is None else key.seal("progress_event", column, event_id, text)


def summaries(connection: Connection, person_id: PersonId, lesson_id: str, reading: Reading) -> dict[str, Summary]:
    """What the pupil's attempts at each activity of a lesson add up to.

    Raises:
        ContractForbids: progress may not be read for this purpose.
    """
    must_allow(reading, schedule.PERFORMANCE)
    rows = connection.execute(
        sa.select(progress_summary).where(
            progress_summary.c.person_id == person_id, progress_summary.c.lesson_id == lesson_id
        )
    )
    return {
        row.activity_id: Summary(
            attempts=row.attempts, best_score=row.best_score, completed=row.completed, optimal=row.optimal
        )
        for row in rows
    }


def last_work(
    connection: Connection, key: PersonKey, person_id: PersonId, lesson_id: str, reading: Reading
) -> dict[str, str]:
    """The newest work of each activity, for the pupil to go on from (A-22).

    Raises:
        ContractForbids: work may not be read for this purpose.
    """
    must_allow(reading, schedule.WORK)
    rows = connection.execute(
        sa.select(progress_event.c.id, progress_event.c.activity_id, progress_event.c.work)
        .ext(pg.distinct_on(progress_event.c.activity_id))
        .where(
            progress_event.c.person_id == person_id,
            progress_event.c.lesson_id == lesson_id,
            progress_event.c.work.is_not(None),
        )
        .order_by(
            progress_event.c.activity_id, progress_event.c.occurred_at.desc(), progress_event.c.received_at.desc()
        )
    )
    return {row.activity_id: key.open("progress_event", "work", row.id, bytes(row.work)) for row in rows}
