"""Work of two people who are one: every attempt stays, they are summed, and the best is kept (roster-and-identity D6).

Nothing is queued for a gradebook by a merge: what stands there was earned by whoever had that account. Where both have
a grade in one column, each stays with the way in by which it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.merging import Moved, Pair, Side, Undoing
from lti_server.ids import PersonId, new_id
from lti_server.progress.totals import Total, Tried, tried, united

Place = tuple[str, str]


class ProgressMerge:
    """Attempts, summaries and grades."""

    name = "progress"

    def counts(self, connection: Connection, person_id: PersonId) -> Mapping[str, int]:
        row = connection.execute(_COUNTS, {"person": person_id}).one()
        return {"attempts": int(row.attempts), "lessons": row.lessons}

    def merge(self, connection: Connection, pair: Pair) -> Moved:
        both = {"into": pair.into.person_id, "gone": pair.gone.person_id, "at": pair.at}
        renamed = {str(row.id): str(row.attempt_id) for row in connection.execute(_SAME_ATTEMPTS, both)}
        if renamed:
            new = [{"id": UUID(one), "attempt": new_id()} for one in renamed]
            connection.execute(_RENAME, new)
        events = _events(connection, pair.gone, pair.into, connection.execute(_EVENTS, both))
        mine, theirs = (_summaries(connection, one) for one in (pair.into.person_id, pair.gone.person_id))
        for place, (grant_id, total) in theirs.items():
            was = mine.get(place)
            made = united(None if was is None else was[1], total)
            _put(connection, pair, pair.into.person_id, place, grant_id if was is None else was[0], made)
        connection.execute(_DROP_SUMMARIES, {"person": pair.gone.person_id})
        deliveries = [str(one) for one in connection.execute(_MOVE_DELIVERIES, both).scalars()]
        return Moved(
            ids={"progress_event": events, "grade_delivery": deliveries},
            kept={"into": _said(mine), "gone": _said(theirs), "attempts": renamed},
        )

    def undo(self, connection: Connection, undoing: Undoing) -> None:
        """Give back each attempt, and reckon both totals from what they were and what came since."""
        pair, ids, kept = undoing.pair, undoing.moved.ids, undoing.moved.kept
        both = {"into": pair.into.person_id, "gone": pair.gone.person_id, "at": pair.at}
        back = [UUID(one) for one in ids["progress_event"]]
        since = {"theirs": list(undoing.theirs), "shared": list(undoing.shared)}
        found = connection.execute(_EVENTS_BACK, {**both, **since, "ids": back})
        _events(connection, pair.into, pair.gone, found)
        old = [{"id": UUID(one), "attempt": UUID(attempt)} for one, attempt in kept["attempts"].items()]
        if old:
            connection.execute(_RENAME, old)
        stands = _summaries(connection, pair.into.person_id)
        connection.execute(_DROP_SUMMARIES, {"person": pair.into.person_id})
        for side, before in ((pair.into, kept["into"]), (pair.gone, kept["gone"])):
            _reckon(connection, pair, side, _read(before), stands.keys())
        moved = [UUID(one) for one in ids["grade_delivery"]]
        connection.execute(_DELIVERIES_BACK, {**both, "ids": moved, "theirs": list(undoing.theirs)})


def _reckon(
    connection: Connection,
    pair: Pair,
    side: Side,
    before: Mapping[Place, tuple[UUID, Total]],
    stands: Iterable[Place],
) -> None:
    """What retention has taken meanwhile of both does not come back."""
    since: dict[Place, list[sa.Row[Any]]] = {}
    for row in connection.execute(_SINCE, {"person": side.person_id, "at": pair.at}):
        since.setdefault((row.lesson_id, row.activity_id), []).append(row)
    for place in stands:
        was, rows = before.get(place), since.get(place, [])
        grant_id = was[0] if was is not None else rows[0].grant_id if rows else None
        further = [
            Tried(score=row.score, completed=row.completed, optimal=bool(row.optimal), occurred_at=row.occurred_at)
            for row in rows
        ]
        made = tried(None if was is None else was[1], further)
        if grant_id is not None:
            _put(connection, pair, side.person_id, place, grant_id, made)


def _events(connection: Connection, side: Side, to: Side, rows: sa.CursorResult[Any]) -> list[str]:
    """Every attempt, with what was made in it under the other's key."""
    found = [
        {
            "id": row.id, "person": to.person_id,
            **{name: _again(side, to, name, row.id, getattr(row, name)) for name in ("work", "answers")},
        }
        for row in rows
    ]  # fmt: skip
    if found:
        connection.execute(_PUT_EVENT, found)
    return [str(one["id"]) for one in found]


def _again(side: Side, to: Side, column: str, event_id: UUID, sealed: bytes | None) -> bytes | None:
    if sealed is None:
        return None
    text = side.key.open_bytes("progress_event", column, event_id, bytes(sealed))
    return to.key.seal_bytes("progress_event", column, event_id, text)


def _summaries(connection: Connection, person_id: PersonId) -> dict[Place, tuple[UUID, Total]]:
    return {
        (row.lesson_id, row.activity_id): (
            row.grant_id,
            Total(
                attempts=row.attempts, best_score=row.best_score, completed=row.completed, optimal=row.optimal,
                first_completed_at=row.first_completed_at, last_at=row.last_at,
            ),
        )
        for row in connection.execute(_SUMMARIES, {"person": person_id})
    }  # fmt: skip


def _said(found: Mapping[Place, tuple[UUID, Total]]) -> list[list[Any]]:
    """As the ledger seals it."""
    return [
        [lesson_id, activity_id, str(grant_id), {name: _plain(value) for name, value in asdict(total).items()}]
        for (lesson_id, activity_id), (grant_id, total) in found.items()
    ]


def _read(said: Iterable[list[Any]]) -> dict[Place, tuple[UUID, Total]]:
    def total(of: dict[str, Any]) -> Total:
        solved = of["first_completed_at"]
        return Total(
            **{
                **of,
                "first_completed_at": None if solved is None else datetime.fromisoformat(solved),
                "last_at": datetime.fromisoformat(of["last_at"]),
            }
        )

    return {(lesson_id, activity_id): (UUID(grant), total(of)) for lesson_id, activity_id, grant, of in said}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _put(
    connection: Connection, pair: Pair, person_id: PersonId, place: Place, grant_id: UUID, total: Total | None
) -> None:
    if total is not None:
        values = {"district": pair.keys.district_id, "person": person_id, "grant": grant_id, **asdict(total)}
        connection.execute(_PUT_SUMMARY, {**values, "lesson": place[0], "activity": place[1]})


_COUNTS = sa.text(
    "SELECT coalesce(sum(attempts), 0) AS attempts, count(DISTINCT lesson_id) AS lessons FROM progress_summary"
    " WHERE person_id = :person"
)
# A lesson's page makes the ids of attempts: one that both have keeps its work under another.
_SAME_ATTEMPTS = sa.text(
    "SELECT e.id, e.attempt_id FROM progress_event e WHERE e.person_id = :gone AND EXISTS (SELECT FROM progress_event o"
    " WHERE o.person_id = :into AND o.attempt_id = e.attempt_id)"
)
_RENAME = sa.text("UPDATE progress_event SET attempt_id = :attempt WHERE id = :id")
_EVENTS = sa.text("SELECT id, work, answers FROM progress_event WHERE person_id = :gone")
# What was done since: by the connection by which the one alone came; by one that both came by, in that one's classes.
_EVENTS_BACK = sa.text(
    "SELECT id, work, answers FROM progress_event e WHERE e.person_id = :into AND (e.id = ANY(:ids)"
    " OR (e.received_at > :at AND (e.grant_id = ANY(:theirs) OR (e.grant_id = ANY(:shared) AND EXISTS ("
    "  SELECT FROM membership m WHERE m.id = e.membership_id AND m.person_id = :gone)))))"
)
_PUT_EVENT = sa.text("UPDATE progress_event SET person_id = :person, work = :work, answers = :answers WHERE id = :id")
_SUMMARIES = sa.text("SELECT * FROM progress_summary WHERE person_id = :person")
_DROP_SUMMARIES = sa.text("DELETE FROM progress_summary WHERE person_id = :person")
_PUT_SUMMARY = sa.text(
    "INSERT INTO progress_summary (person_id, lesson_id, activity_id, district_id, grant_id, attempts, best_score,"
    " completed, optimal, first_completed_at, last_at) VALUES (:person, :lesson, :activity, :district, :grant,"
    " :attempts, :best_score, :completed, :optimal, :first_completed_at, :last_at)"
    " ON CONFLICT (person_id, lesson_id, activity_id) DO UPDATE SET attempts = excluded.attempts,"
    " best_score = excluded.best_score, completed = excluded.completed, optimal = excluded.optimal,"
    " first_completed_at = excluded.first_completed_at, last_at = excluded.last_at"
)
_SINCE = sa.text(
    "SELECT lesson_id, activity_id, grant_id, score, completed, optimal, occurred_at FROM progress_event"
    " WHERE person_id = :person AND received_at > :at ORDER BY received_at, id"
)
_MOVE_DELIVERIES = sa.text(
    "UPDATE grade_delivery d SET person_id = :into WHERE d.person_id = :gone AND NOT EXISTS ("
    "SELECT FROM grade_delivery o WHERE o.person_id = :into AND o.column_id = d.column_id) RETURNING id"
)
_DELIVERIES_BACK = sa.text(
    "UPDATE grade_delivery d SET person_id = :gone WHERE d.person_id = :into AND (d.id = ANY(:ids)"
    " OR (d.queued_at > :at AND d.grant_id = ANY(:theirs))) AND NOT EXISTS ("
    "SELECT FROM grade_delivery o WHERE o.person_id = :gone AND o.column_id = d.column_id)"
)
