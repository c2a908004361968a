"""From a launch to a lesson: a ticket becomes a session and a token, once (design 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by
from lti_server.errors import NotAuthenticated
from lti_server.ids import Clock, DistrictId, GrantId, MembershipId, PersonId, ResourceLinkRowId, SessionId
from lti_server.privacy.crypto import new_token, token_hash

TOKEN_LIFE = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonSession:
    """Who plays which lesson, and where a grade would go. Checked at the moment of use; never kept."""

    id: SessionId
    district_id: DistrictId
    person_id: PersonId
    role: str
    grant_id: GrantId
    grant_epoch: int
    membership_id: MembershipId | None
    resource_link_id: ResourceLinkRowId | None
    lesson_id: str
    activity_id: str
    locale: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What the page of a lesson gets. `cookie` is for the browser alone, `token` for the lesson's own requests."""

    session: LessonSession
    token: str = field(repr=False)
    token_expires_at: datetime
    cookie: str | None = field(repr=False)


_SESSION = """
  s.id, s.district_id, s.person_id, s.role, s.grant_id, s.grant_epoch, s.membership_id, s.resource_link_id,
  s.lesson_id, s.activity_id, s.locale, s.expires_at
"""
_STANDS = """
  s.ended_at IS NULL AND s.expires_at > :now AND g.state = 'active' AND g.epoch = s.grant_epoch
"""
# The ticket is spent by the one UPDATE that finds it unspent.
_SPEND_TICKET = """
UPDATE session s SET ticket_used_at = :now, cookie_hash = :cookie FROM grants g
WHERE s.id = :id AND g.id = s.grant_id AND s.ticket_used_at IS NULL AND s.ticket_expires_at > :now
  AND s.lesson_id = coalesce(CAST(:lesson AS text), s.lesson_id) AND
"""
_SPEND = sa.text(_SPEND_TICKET + _STANDS + "RETURNING" + _SESSION)
_READ = sa.text(
    "SELECT" + _SESSION + "FROM session s JOIN grants g ON g.id = s.grant_id WHERE s.id = :id AND" + _STANDS
)
_READ_BY_TOKEN = sa.text(
    "SELECT" + _SESSION + "FROM lesson_token t JOIN session s ON s.id = t.session_id JOIN grants g ON g.id = s.grant_id"
    " WHERE t.token_hash = :token AND t.expires_at > :now AND" + _STANDS
)
_ISSUE = sa.text(
    """
WITH door AS (
  INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)
  SELECT kind, key_hash, :district, :id, until FROM
    (VALUES ('token', CAST(:token AS bytea), CAST(:token_until AS timestamptz)),
            ('session', CAST(:cookie AS bytea), CAST(:until AS timestamptz))) AS d(kind, key_hash, until)
  WHERE key_hash IS NOT NULL)
INSERT INTO lesson_token (token_hash, district_id, session_id, expires_at)
VALUES (:token, :district, :id, :token_until)
"""
)


class HandOff:
    """Exchanges tickets, and issues and reads the tokens of lessons."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def exchange(self, ticket: str, lesson_id: str | None = None) -> HandedOver | None:
        """The session of a ticket, or None where it was used, is too old, of another lesson, or its grant has ended."""
        cookie = new_token()
        with self._database.anyone() as connection:
            found = enter_by(connection, Door.TICKET, token_hash(ticket))
            if found is None:
                return None
            values = {
                "id": found.target_id, "now": self._clock.now(), "cookie": token_hash(cookie), "lesson": lesson_id
            }  # fmt: skip
            row = connection.execute(_SPEND, values).one_or_none()
            if row is None:
                return None
            return self._issue(connection, _session(row), cookie)

    def resume(self, cookie: str, lesson_id: str) -> HandedOver | None:
        """A new token for the session of a cookie, where it is of this lesson and still stands (a reload)."""
        with self._database.anyone() as connection:
            found = enter_by(connection, Door.SESSION, token_hash(cookie))
            if found is None:
                return None
            row = connection.execute(_READ, {"id": found.target_id, "now": self._clock.now()}).one_or_none()
            if row is None or row.lesson_id != lesson_id:
                return None
            return self._issue(connection, _session(row), None)

    def renew(self, token: str) -> HandedOver:
        """Another token of the same session, until the session ends.

        Raises:
            NotAuthenticated: the token is unknown or too old, or its session or grant has ended.
        """
        with self._database.anyone() as connection:
            return self._issue(connection, self.bearer(connection, token), None)

    def bearer(self, connection: Connection, token: str) -> LessonSession:
        """Whose token this is; enters the tenant on the caller's transaction. The grant is read here and now (law 3).

        Raises:
            NotAuthenticated: the token is unknown or too old, or its session or grant has ended.
        """
        hashed = token_hash(token)
        found = enter_by(connection, Door.TOKEN, hashed)
        if found is not None:
            row = connection.execute(_READ_BY_TOKEN, {"token": hashed, "now": self._clock.now()}).one_or_none()
            if row is not None:
                return _session(row)
        raise NotAuthenticated("This lesson's access has ended. Open the lesson again from your course.")

    def _issue(self, connection: Connection, session: LessonSession, cookie: str | None) -> HandedOver:
        token = new_token()
        until = min(self._clock.now() + TOKEN_LIFE, session.expires_at)
        values: Mapping[str, Any] = {
            "district": session.district_id,
            "id": session.id,
            "token": token_hash(token),
            "token_until": until,
            "cookie": None if cookie is None else token_hash(cookie),
            "until": session.expires_at,
        }
        connection.execute(_ISSUE, values)
        return HandedOver(session=session, token=token, token_expires_at=until, cookie=cookie)


def _session(row: sa.Row[Any]) -> LessonSession:
    return LessonSession(
        id=SessionId(row.id),
        district_id=DistrictId(row.district_id),
        person_id=PersonId(row.person_id),
        role=row.role,
        grant_id=GrantId(row.grant_id),
        grant_epoch=row.grant_epoch,
        membership_id=None if row.membership_id is None else MembershipId(row.membership_id),
        resource_link_id=None if row.resource_link_id is None else ResourceLinkRowId(row.resource_link_id),
        lesson_id=row.lesson_id,
        activity_id=row.activity_id or "",
        locale=row.locale or "",
        expires_at=row.expires_at,
    )
