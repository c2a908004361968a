"""Live sessions: a person's own list, and ending one, or a person's, a provider's or a district's at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.person_sessions import IDLE_LIFE
from lti_server.accounts.withdrawal import close_sessions
from lti_server.db import Database
from lti_server.ids import Clock, DistrictId
from lti_server.privacy import log
from lti_server.privacy.districts import District

ACT = "session end"
MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """One session: since when, by which provider, and the lesson that was opened in it. No address is ever kept.

    `person_id` and `provider` are None for staff who came by an invitation. `seen_at` is None for a lesson.
    """

    id: UUID
    person_id: UUID | None
    provider: str | None
    role: str
    lesson_id: str | None
    created_at: datetime
    seen_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which sessions of a district: every condition that is given holds. None given: all, those of staff too.

    `one` is a session with the lessons that were opened from it; `but` is one that stays.
    """

    person_id: UUID | None = None
    provider: str | None = None
    grant_id: UUID | None = None
    one: UUID | None = None
    but: UUID | None = None

    def values(self) -> dict[str, object]:
        return {
            "person": self.person_id, "provider": self.provider, "grant": self.grant_id, "one": self.one,
            "but": self.but,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many sessions ended, and how many lesson tokens went with them."""

    sessions: int
    lesson_tokens: int


class LiveSessions:
    """Lists and ends sessions. An ended one opens nothing from the next request on, in whatever process."""

    def __init__(self, *, database: Database, district: Callable[[Connection], District], clock: Clock) -> None:
        self._database = database
        self._district = district
        self._clock = clock

    def every(self, district_id: DistrictId, which: Which) -> list[LiveSession]:
        """The live sessions, newest first, at most a thousand. Reads ids and times, no field of anybody."""
        now = self._clock.now()
        values = {**which.values(), "now": now, "idle": now - IDLE_LIFE, "most": MOST_SHOWN}
        with self._database.tenant(district_id) as connection:
            return [LiveSession(**row._mapping) for row in connection.execute(_LIST, values)]

    def end(self, district_id: DistrictId, which: Which, *, by: str) -> Ended:
        """End them, and say so in the log; nothing else of anybody is touched."""
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            ids = list(connection.execute(_END, {**which.values(), "now": now}).scalars())
            ended = Ended(sessions=len(ids), lesson_tokens=close_sessions(connection, ids))
            of_person = which.person_id is not None
            entry = log.entry(
                keys, at=now, actor=by, act=ACT, decision="allowed", purpose="operation",
                object_id=which.person_id if of_person else which.grant_id, population="person" if of_person else "",
                interest=log.Interest.OWN_DATA if by.startswith("person:") else log.Interest.OPERATION,
                payload={"sessions": ended.sessions, "provider": which.provider or ""},
            )  # fmt: skip
            log.record(connection, entry)
        return ended


_WHICH = """
  AND (CAST(:person AS uuid) IS NULL OR s.person_id = :person)
  AND (CAST(:grant AS uuid) IS NULL OR s.grant_id = :grant)
  AND (CAST(:provider AS text) IS NULL OR s.grant_id IN (SELECT g.id FROM grants g WHERE g.provider = :provider))
  AND (CAST(:but AS uuid) IS NULL OR s.id <> :but)
  AND (CAST(:one AS uuid) IS NULL OR s.id = :one OR s.lesson_id IS NOT NULL AND EXISTS (SELECT FROM session o
    WHERE o.id = :one AND o.lesson_id IS NULL AND o.identity_id = s.identity_id AND s.created_at >= o.created_at))
"""
# A session of somebody who signed in ends with an hour of nothing; a lesson's and a staff member's does not.
_LIVE = (
    "SELECT s.id, s.person_id, coalesce(i.provider, f.provider) AS provider, s.role, s.lesson_id, s.created_at,"
    " s.last_seen_at AS seen_at, s.expires_at"
    " FROM session s LEFT JOIN grants f ON f.id = s.grant_id LEFT JOIN identity i ON i.id = s.identity_id"
    " WHERE s.ended_at IS NULL AND s.expires_at > :now AND i.ended_at IS NULL"
    " AND (s.grant_id IS NULL OR f.state = 'active' AND f.epoch = s.grant_epoch)"
    " AND (s.identity_id IS NULL OR s.lesson_id IS NOT NULL OR s.last_seen_at > :idle)"
)
_LIST = sa.text(_LIVE + _WHICH + "ORDER BY s.created_at DESC, s.id LIMIT :most")
_ENDING = (
    "UPDATE session SET ended_at = :now, ticket_expires_at = least(session.ticket_expires_at, :now) FROM session s"
    " WHERE s.id = session.id AND s.ended_at IS NULL"
)
_END = sa.text(_ENDING + _WHICH + "RETURNING session.id")
