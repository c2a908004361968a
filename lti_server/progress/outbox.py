"""The grade outbox: one score a column and pupil, always the latest, queued with the progress that earned it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import Clock, DistrictId, GrantId, IdentityId, new_id
from lti_server.lessons.handoff import LessonSession
from lti_server.lessons.model import Lesson
from lti_server.progress.model import Grade, next_score_at

TASK = "grades.deliver"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"


class Queue(Protocol):
    def defer(
        self,
        connection: Connection,
        task: str,
        *,
        lock: str | None = None,
        queueing_lock: str | None = None,
        schedule_at: datetime | None = None,
        **arguments: str | int,
    ) -> bool: ...


class GradebookAllowed(Protocol):
    def __call__(self, connection: Connection, provider: str) -> bool:
        """Whether the contract in force lets grades go back to this provider."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One score on its way. `score_at` in whole seconds; `sent_before`: it may have reached the LMS already."""

    id: UUID
    column_id: UUID
    identity_id: IdentityId
    grant_id: GrantId
    epoch: int
    score: float
    completed: bool
    score_at: datetime
    attempts: int


_WHERE_TO = sa.text(
    """
SELECT l.id, i.id AS identity_id FROM resource_link l
JOIN identity i ON i.person_id = :person AND i.grant_id = l.grant_id AND i.ended_at IS NULL AND i.subject IS NOT NULL
WHERE l.id = :link AND :scope = ANY(l.ags_scopes) AND (l.lineitem_url IS NOT NULL OR l.lineitems_url IS NOT NULL)
ORDER BY i.created_at LIMIT 1
"""
)
_COLUMN = sa.text(
    """
INSERT INTO grade_column (id, district_id, resource_link_id, activity_id, created_at)
VALUES (:id, :district, :link, :activity, :now)
ON CONFLICT (resource_link_id, activity_id) DO UPDATE SET activity_id = excluded.activity_id RETURNING id
"""
)
_LAST = sa.text("SELECT * FROM grade_delivery WHERE column_id = :column AND person_id = :person FOR UPDATE")
_PUT = sa.text(
    """
INSERT INTO grade_delivery (id, district_id, column_id, person_id, identity_id, grant_id, epoch, state, score,
  completed, score_at, attempted, attempts, queued_at)
VALUES (:id, :district, :column, :person, :identity, :grant, :epoch, 'queued', :score, :completed,
  :score_at, false, 0, :now)
ON CONFLICT (column_id, person_id) DO UPDATE SET identity_id = excluded.identity_id, grant_id = excluded.grant_id,
  epoch = excluded.epoch, state = 'queued', score = excluded.score, completed = excluded.completed,
  score_at = excluded.score_at, attempted = false, attempts = 0, reason = NULL, queued_at = excluded.queued_at,
  settled_at = NULL
RETURNING id
"""
)


class Outbox:
    """Puts grades in; `lti.grades` takes them out."""

    def __init__(self, queue: Queue, gradebook_allowed: GradebookAllowed, clock: Clock) -> None:
        self._queue = queue
        self._gradebook_allowed = gradebook_allowed
        self._clock = clock

    def queue(self, connection: Connection, session: LessonSession, lesson: Lesson, found: Grade) -> None:
        """Queue a grade on the caller's transaction; an equal one that is queued or delivered already is left alone.

        The caller holds the lock of this pupil and lesson, so that the grade is made of all that was saved.
        """
        if session.resource_link_id is None or not self._gradebook_allowed(connection, "lti"):
            return
        target = {"person": session.person_id, "link": session.resource_link_id, "scope": SCORE_SCOPE}
        where_to = connection.execute(_WHERE_TO, target).one_or_none()
        if where_to is None:
            return
        now = self._clock.now()
        column_id = connection.execute(
            _COLUMN,
            {
                "id": new_id(), "district": session.district_id, "link": session.resource_link_id,
                "activity": session.activity_id, "now": now,
            },
        ).scalar_one()  # fmt: skip
        last = connection.execute(_LAST, {"column": column_id, "person": session.person_id}).one_or_none()
        same = last is not None and (last.score, last.completed) == (found.score, found.completed)
        if last is not None and same and last.state in ("queued", "delivered"):
            return
        score_at = next_score_at(
            now, None if last is None else last.score_at, last_attempted=last is not None and last.attempted
        )
        delivery_id = connection.execute(
            _PUT,
            {
                "id": new_id(), "district": session.district_id, "column": column_id, "person": session.person_id,
                "identity": where_to.identity_id, "grant": session.grant_id, "epoch": session.grant_epoch,
                "score": found.score, "completed": found.completed, "score_at": score_at, "now": now,
            },
        ).scalar_one()  # fmt: skip
        self.defer(connection, session.district_id, delivery_id, score_at)

    def defer(self, connection: Connection, district_id: DistrictId, delivery_id: UUID, at: datetime | None) -> None:
        """A job for one delivery: one at a time, and at most one that waits."""
        name = f"grade:{delivery_id}"
        ahead = at if at is not None and at > self._clock.now() else None
        self._queue.defer(
            connection, TASK, lock=name, queueing_lock=name, schedule_at=ahead,
            district_id=str(district_id), delivery_id=str(delivery_id),
        )  # fmt: skip


_TAKE = sa.text("SELECT * FROM grade_delivery WHERE id = :id AND state = 'queued' FOR UPDATE")
_MARK = sa.text("UPDATE grade_delivery SET attempted = true WHERE id = :id")
_COUNT = sa.text("UPDATE grade_delivery SET attempts = attempts + 1 WHERE id = :id AND state = 'queued'")
_SETTLE = sa.text(
    "UPDATE grade_delivery SET state = :state, reason = :reason, settled_at = :now"
    " WHERE id = :id AND state = 'queued' AND score_at = :score_at"
)


def take(connection: Connection, delivery_id: UUID, *, mark: bool) -> Queued | None:
    """The score that is to be sent now; with `mark`, from here on it may have reached the LMS."""
    row = connection.execute(_TAKE, {"id": delivery_id}).one_or_none()
    if row is None:
        return None
    if mark:
        connection.execute(_MARK, {"id": delivery_id})
    return Queued(
        id=row.id, column_id=row.column_id, identity_id=IdentityId(row.identity_id), grant_id=GrantId(row.grant_id),
        epoch=row.epoch, score=row.score, completed=row.completed, score_at=row.score_at,
        attempts=row.attempts,
    )  # fmt: skip


def count_attempt(connection: Connection, waiting: Queued) -> None:
    """One more try that came to nothing: the next waits longer, and at last an administrator is told."""
    connection.execute(_COUNT, {"id": waiting.id})


def settle(connection: Connection, sent: Queued, state: str, reason: str | None, now: datetime) -> None:
    """Say how a score ended; a newer one that was queued meanwhile is not touched."""
    connection.execute(
        _SETTLE, {"id": sent.id, "score_at": sent.score_at, "state": state, "reason": reason, "now": now}
    )
