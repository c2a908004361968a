"""The grade outbox: one score a column and pupil, always the latest, queued with the progress that earned it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import Clock, DistrictId, GrantId, IdentityId, PersonId, new_id
from lti_server.lessons.handoff import LessonSession
from lti_server.lessons.model import Lesson
from lti_server.progress import columns
from lti_server.progress.columns import Column
from lti_server.progress.model import Grade, Summary, next_score_at

TASK = "grades.deliver"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCORE_SCOPE, LINE_ITEM_SCOPE = AGS + "score", AGS + "lineitem"


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
    """One score on its way. `score_at` in whole seconds; `attempted`: it may have reached the LMS already.

    `score` is that of the pupil, 1 for all that is asked for; with `cleared`, that there is none any more is sent.
    `may_stand` are the scores of ours of which one stands in the LMS; empty where nothing was ever sent.
    """

    id: UUID
    column_id: UUID
    person_id: PersonId
    identity_id: IdentityId
    grant_id: GrantId
    epoch: int
    score: float
    completed: bool
    score_at: datetime
    attempts: int
    attempted: bool = False
    cleared: bool = False
    done: int = 0
    activities: int = 0
    started_at: datetime | None = None
    submitted_at: datetime | None = None
    new_submission: bool = True
    may_stand: tuple[float, ...] = ()
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """To whom in which course a score goes, and when the pupil worked at each activity (first, last)."""

    identity_id: IdentityId
    makes_columns: bool
    worked: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)

    def submission(self, column: Column) -> dict[str, datetime | None]:
        times = [self.worked[name] for name in column.activities if name in self.worked]
        return {
            "started": min((one[0] for one in times), default=None),
            "submitted": max((one[1] for one in times), default=None),
        }


_WHERE_TO = sa.text(
    """
SELECT i.id AS identity_id, :make = ANY(l.ags_scopes) AND l.lineitems_url IS NOT NULL AS makes_columns
FROM resource_link l
JOIN identity i ON i.person_id = :person AND i.grant_id = l.grant_id AND i.ended_at IS NULL AND i.subject IS NOT NULL
WHERE l.id = :link AND :scope = ANY(l.ags_scopes) AND (l.lineitem_url IS NOT NULL OR l.lineitems_url IS NOT NULL)
ORDER BY i.created_at LIMIT 1
"""
)
_WORKED = sa.text(
    "SELECT activity_id, min(occurred_at) AS first, max(occurred_at) AS last FROM progress_event"
    " WHERE person_id = :person AND lesson_id = :lesson GROUP BY activity_id"
)
# A link that is launched from another course now has its columns there: the address of the former is forgotten.
_COLUMN = sa.text(
    """
INSERT INTO grade_column AS c (id, district_id, resource_link_id, activity_id, created_at, lineitems_url)
SELECT :id, :district, :link, :activity, :now, l.lineitems_url FROM resource_link l WHERE l.id = :link
ON CONFLICT (resource_link_id, activity_id) DO UPDATE SET lineitems_url = excluded.lineitems_url,
  line_item_url = CASE WHEN c.lineitems_url IS NULL OR c.lineitems_url = excluded.lineitems_url
    THEN c.line_item_url END
RETURNING id
"""
)
_LAST = sa.text("SELECT * FROM grade_delivery WHERE column_id = :column AND person_id = :person FOR UPDATE")
_PUT = sa.text(
    """
INSERT INTO grade_delivery (id, district_id, column_id, person_id, identity_id, grant_id, epoch, state, score,
  completed, done, activities, started_at, submitted_at, new_submission, score_at, attempted, attempts, queued_at)
VALUES (:id, :district, :column, :person, :identity, :grant, :epoch, 'queued', :score,
  :completed, :done, :activities, :started, :submitted, :new_submission, :score_at, false, 0, :now)
ON CONFLICT (column_id, person_id) DO UPDATE SET identity_id = excluded.identity_id, grant_id = excluded.grant_id,
  epoch = excluded.epoch, state = 'queued', score = excluded.score, completed = excluded.completed,
  done = excluded.done, activities = excluded.activities, started_at = excluded.started_at,
  submitted_at = excluded.submitted_at, new_submission = excluded.new_submission, cleared = false,
  score_at = excluded.score_at, attempted = false, attempts = 0, reason = NULL, queued_at = excluded.queued_at,
  settled_at = NULL
RETURNING id
"""
)
_OF_PERSON = sa.text(
    """
SELECT g.* FROM grade_delivery g JOIN grade_column c ON c.id = g.column_id
JOIN resource_link l ON l.id = c.resource_link_id
WHERE g.person_id = :person AND (CAST(:lesson AS text) IS NULL OR l.lesson_id = :lesson) ORDER BY g.id FOR UPDATE OF g
"""
)
_OF_COLUMN = sa.text(
    "SELECT * FROM grade_delivery WHERE column_id = :column AND id <> :but AND NOT cleared"
    " AND state IN ('delivered', 'stale', 'regraded') ORDER BY id FOR UPDATE"
)
_AGAIN = sa.text(
    "UPDATE grade_delivery SET state = 'queued', cleared = :cleared, score_at = :score_at, attempted = false,"
    " attempts = 0, reason = NULL, queued_at = :now, settled_at = NULL WHERE id = :id"
)
_WAITING = sa.text("SELECT id FROM grade_delivery WHERE person_id = :person AND state = 'queued' ORDER BY id")
_NOTHING_STANDS = sa.text("UPDATE grade_delivery SET may_stand = '{}', delivered_at = NULL WHERE column_id = :column")


class Outbox:
    """Puts grades in; `lti.grades` takes them out."""

    def __init__(self, queue: Queue, gradebook_allowed: GradebookAllowed, clock: Clock) -> None:
        self._queue = queue
        self._gradebook_allowed = gradebook_allowed
        self._clock = clock

    def queue(
        self, connection: Connection, session: LessonSession, lesson: Lesson, found: Mapping[str, Summary]
    ) -> None:
        """Queue a pupil's grades on the caller's transaction, of the link's own column and of those that are declared.

        An equal one that is queued or delivered already is left alone. The caller holds the lock of this pupil and
        lesson, so that a grade is made of all that was saved.
        """
        if session.resource_link_id is None or not self._gradebook_allowed(connection, "lti"):
            return
        way = _way(connection, session)
        own = columns.own(lesson, session.activity_id)
        if way is None or own is None:
            return
        further = columns.declared(lesson) if way.makes_columns and not session.activity_id else []
        for column in (own, *(one for one in further if columns.tried(one, found))):
            self._queue_one(connection, session, column, found, way)

    def _queue_one(
        self,
        connection: Connection,
        session: LessonSession,
        column: Column,
        summaries: Mapping[str, Summary],
        way: _Way,
    ) -> None:
        now, found = self._clock.now(), columns.grade(column, summaries)
        values = {
            "id": new_id(), "district": session.district_id, "link": session.resource_link_id,
            "activity": column.key, "now": now,
        }  # fmt: skip
        column_id = connection.execute(_COLUMN, values).scalar_one()
        last = connection.execute(_LAST, {"column": column_id, "person": session.person_id}).one_or_none()
        if _is_same(last, found):
            return
        score_at = self._score_at(last)
        delivery_id = connection.execute(
            _PUT,
            {
                "id": new_id(), "district": session.district_id, "column": column_id, "person": session.person_id,
                "identity": way.identity_id, "grant": session.grant_id, "epoch": session.grant_epoch,
                "score": found.score, "completed": found.completed, "done": found.done,
                "activities": found.activities, "new_submission": _hands_in(last), "score_at": score_at, "now": now,
                **way.submission(column),
            },
        ).scalar_one()  # fmt: skip
        self.defer(connection, session.district_id, delivery_id, score_at)

    def withdraw(
        self, connection: Connection, district_id: DistrictId, person_id: PersonId, lesson_id: str | None = None
    ) -> int:
        """Take a pupil's scores out of the LMSs' gradebooks, of one lesson or of all; answers with how many.

        A score that never left is dropped. The others are queued as cleared: whoever erases the person waits until
        they are settled, for afterwards nobody knows under which id the LMS has them. A teacher's own grade stays.
        """
        rows = connection.execute(_OF_PERSON, {"person": person_id, "lesson": lesson_id}).all()
        sent = [row for row in rows if row.may_stand]
        for row in rows:
            if not row.may_stand:
                connection.execute(sa.text("DELETE FROM grade_delivery WHERE id = :id"), {"id": row.id})
        self._again(connection, district_id, [row for row in sent if not row.cleared], cleared=True)
        return len(sent)

    def waiting(self, connection: Connection, person_id: PersonId) -> list[UUID]:
        """Scores of a pupil that are still to be sent, the cleared ones too."""
        return list(connection.execute(_WAITING, {"person": person_id}).scalars())

    def send_again(self, connection: Connection, district_id: DistrictId, column_id: UUID, *, but: UUID) -> None:
        """A column was made again, and is empty: every grade that stood in it is sent anew, `but` one in hand."""
        rows = connection.execute(_OF_COLUMN, {"column": column_id, "but": but}).all()
        connection.execute(_NOTHING_STANDS, {"column": column_id})
        self._again(connection, district_id, rows, cleared=False)

    def _again(
        self, connection: Connection, district_id: DistrictId, rows: Sequence[sa.Row[Any]], *, cleared: bool
    ) -> None:
        for row in rows:
            score_at = self._score_at(row)
            values = {"id": row.id, "cleared": cleared, "score_at": score_at, "now": self._clock.now()}
            connection.execute(_AGAIN, values)
            self.defer(connection, district_id, row.id, score_at)

    def _score_at(self, last: sa.Row[Any] | None) -> datetime:
        attempted = last is not None and last.attempted
        return next_score_at(self._clock.now(), None if last is None else last.score_at, last_attempted=attempted)

    def defer(self, connection: Connection, district_id: DistrictId, delivery_id: UUID, at: datetime | None) -> None:
        """A job for one delivery: one at a time, and at most one that waits."""
        name = f"grade:{delivery_id}"
        ahead = at if at is not None and at > self._clock.now() else None
        self._queue.defer(
            connection, TASK, lock=name, queueing_lock=name, schedule_at=ahead,
            district_id=str(district_id), delivery_id=str(delivery_id),
        )  # fmt: skip


def _way(connection: Connection, session: LessonSession) -> _Way | None:
    target = {
        "person": session.person_id, "link": session.resource_link_id, "scope": SCORE_SCOPE, "make": LINE_ITEM_SCOPE,
    }  # fmt: skip
    where_to = connection.execute(_WHERE_TO, target).one_or_none()
    if where_to is None:
        return None
    rows = connection.execute(_WORKED, {"person": session.person_id, "lesson": session.lesson_id})
    return _Way(
        identity_id=IdentityId(where_to.identity_id), makes_columns=where_to.makes_columns,
        worked={row.activity_id: (row.first, row.last) for row in rows},
    )  # fmt: skip


def _is_same(last: sa.Row[Any] | None, found: Grade) -> bool:
    """Whether this very grade is on its way, or arrived."""
    if last is None or last.cleared or last.state not in ("queued", "delivered"):
        return False
    return bool((last.score, last.completed) == (found.score, found.completed))


def _hands_in(last: sa.Row[Any] | None) -> bool:
    """Whether a score stands for something handed in: the first one, and each after a whole piece of work.

    Canvas makes a submission of every score unless told otherwise, and may allow a pupil only so many.
    """
    if last is None or not last.may_stand:
        return True
    return bool(last.completed) if last.state == "delivered" else bool(last.new_submission)


_TAKE = sa.text("SELECT * FROM grade_delivery WHERE id = :id AND state = 'queued' FOR UPDATE")
_MARK = sa.text(
    "UPDATE grade_delivery SET attempted = true, may_stand = CASE WHEN cleared OR score = ANY(may_stand) THEN may_stand"
    " ELSE may_stand || score END WHERE id = :id"
)
_COUNT = sa.text("UPDATE grade_delivery SET attempts = attempts + 1 WHERE id = :id AND state = 'queued'")
_SETTLE = sa.text(
    "UPDATE grade_delivery SET state = :state, reason = :reason, settled_at = :now"
    " WHERE id = :id AND state = 'queued' AND score_at = :score_at"
)
_STANDS = sa.text(
    "UPDATE grade_delivery SET may_stand = :stands, delivered_at = :now"
    " WHERE id = :id AND (score_at = :score_at OR NOT attempted)"
)


def take(connection: Connection, delivery_id: UUID, *, mark: bool) -> Queued | None:
    """The score that is to be sent now; with `mark`, from here on it may have reached the LMS."""
    row = connection.execute(_TAKE, {"id": delivery_id}).one_or_none()
    if row is None:
        return None
    if mark:
        connection.execute(_MARK, {"id": delivery_id})
    return Queued(
        id=row.id, column_id=row.column_id, person_id=PersonId(row.person_id),
        identity_id=IdentityId(row.identity_id), grant_id=GrantId(row.grant_id),
        epoch=row.epoch, score=row.score, completed=row.completed, score_at=row.score_at, attempts=row.attempts,
        attempted=row.attempted, cleared=row.cleared, done=row.done, activities=row.activities,
        started_at=row.started_at, submitted_at=row.submitted_at, new_submission=row.new_submission,
        may_stand=tuple(row.may_stand), delivered_at=row.delivered_at,
    )  # fmt: skip


def count_attempt(connection: Connection, waiting: Queued) -> None:
    """One more try that came to nothing: the next waits longer, and at last an administrator is told."""
    connection.execute(_COUNT, {"id": waiting.id})


def settle(connection: Connection, sent: Queued, state: str, reason: str | None, now: datetime) -> None:
    """Say how a score ended; a newer one that was queued meanwhile is not touched.

    What is delivered is from then on the one score of ours that stands there, whatever is queued.
    """
    values = {"id": sent.id, "score_at": sent.score_at, "now": now}
    connection.execute(_SETTLE, {**values, "state": state, "reason": reason})
    if state == "delivered":
        connection.execute(_STANDS, {**values, "stands": [] if sent.cleared else [sent.score]})
