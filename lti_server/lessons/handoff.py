"""From a launch to a lesson: a ticket becomes a session and a token, once (design 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by
from lti_server.errors import NotAuthenticated
from lti_server.ids import Clock, DistrictId, GrantId, MembershipId, PersonId, ResourceLinkRowId, SessionId, new_id
from lti_server.privacy.crypto import new_token, token_hash
from lti_server.statements import Statement

TOKEN_LIFE = timedelta(hours=2)
TICKET_LIFE = timedelta(seconds=60)


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
# The ticket is spent, and the token issued, by one function of the database (0001_launch.sql): one way to the server.
_EXCHANGE = Statement(
    "SELECT s.* FROM directory_enter('ticket', :ticket) AS found,"
    " LATERAL spend_ticket(found.target_id, :now, :lesson, :cookie, :token, :token_until) AS s"
)
_READ = Statement(
    "SELECT" + _SESSION + "FROM session s JOIN grants g ON g.id = s.grant_id WHERE s.id = :id AND" + _STANDS
)
_READ_BY_TOKEN = Statement(
    "SELECT" + _SESSION + "FROM lesson_token t JOIN session s ON s.id = t.session_id JOIN grants g ON g.id = s.grant_id"
    " WHERE t.token_hash = :token AND t.expires_at > :now AND" + _STANDS
)
_ISSUE = Statement(
    """
WITH door AS (
  INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)
  VALUES ('token', :token, :district, :id, :until))
INSERT INTO lesson_token (token_hash, district_id, session_id, expires_at) VALUES (:token, :district, :id, :until)
"""
)

# The lesson of a session that somebody signed in to: it ends with that one, and has its grant and epoch.
_BEGIN = Statement(
    """
WITH opened AS (
  INSERT INTO session (id, district_id, person_id, identity_id, role, grant_id, grant_epoch, membership_id, lesson_id,
    locale, ticket_hash, ticket_expires_at, created_at, expires_at)
  SELECT :id, :district, :person, :identity, :role, :grant, :epoch,
    (SELECT m.id FROM membership m JOIN grants g ON g.id = m.grant_id AND g.state = 'active'
     WHERE m.person_id = :person AND m.ended_at IS NULL AND m.role = 'pupil' ORDER BY m.started_at DESC LIMIT 1),
    :lesson, :locale, :ticket, :ticket_until, :now, :until)
INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)
VALUES ('ticket', :ticket, :district, :id, :ticket_until)
"""
)


class HandOff:
    """Exchanges tickets, and issues and reads the tokens of lessons."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, connection: Connection, session: Mapping[str, Any], lesson_id: str) -> str:
        """A ticket for a lesson that somebody who is signed in opens, on the caller's transaction in their tenant.

        `session` names district, person, identity, role, grant, epoch and locale. Where they are a pupil in a class,
        that membership is the lesson's; else nothing is saved (design 6.3).
        """
        ticket, now = new_token(), self._clock.now()
        values = {
            **session, "id": new_id(), "lesson": lesson_id, "ticket": token_hash(ticket), "now": now,
            "ticket_until": now + TICKET_LIFE,
        }  # fmt: skip
        _BEGIN.run(connection, values)
        return ticket

    def exchange(self, ticket: str, lesson_id: str | None = None) -> HandedOver | None:
        """The session of a ticket, or None where it was used, is too old, of another lesson, or its grant has ended."""
        cookie, token, now = new_token(), new_token(), self._clock.now()
        values = {
            "ticket": token_hash(ticket), "now": now, "lesson": lesson_id, "cookie": token_hash(cookie),
            "token": token_hash(token), "token_until": now + TOKEN_LIFE,
        }  # fmt: skip
        row = self._database.once(_EXCHANGE, values)
        if row is None:
            return None
        session = _session(row)
        until = min(now + TOKEN_LIFE, session.expires_at)
        return HandedOver(session=session, token=token, token_expires_at=until, cookie=cookie)

    def resume(self, cookie: str, lesson_id: str) -> HandedOver | None:
        """A new token for the session of a cookie, where it is of this lesson and still stands (a reload)."""
        with self._database.anyone() as connection:
            found = enter_by(connection, Door.SESSION, token_hash(cookie))
            if found is None:
                return None
            row = _READ.one(connection, {"id": found.target_id, "now": self._clock.now()})
            session = None if row is None else _session(row)
            if session is None or session.lesson_id != lesson_id:
                return None
            return self._issue(connection, session)

    def renew(self, token: str) -> HandedOver:
        """Another token of the same session, until the session ends.

        Raises:
            NotAuthenticated: the token is unknown or too old, or its session or grant has ended.
        """
        with self._database.anyone() as connection:
            return self._issue(connection, self.bearer(connection, token))

    def bearer(self, connection: Connection, token: str) -> LessonSession:
        """Whose token this is; enters the tenant on the caller's transaction. The grant is read here and now (law 3).

        Raises:
            NotAuthenticated: the token is unknown or too old, or its session or grant has ended.
        """
        hashed = token_hash(token)
        found = enter_by(connection, Door.TOKEN, hashed)
        if found is not None:
            row = _READ_BY_TOKEN.one(connection, {"token": hashed, "now": self._clock.now()})
            if row is not None:
                return _session(row)
        raise NotAuthenticated("This lesson's access has ended. Open the lesson again from your course.")

    def _issue(self, connection: Connection, session: LessonSession) -> HandedOver:
        token = new_token()
        until = min(self._clock.now() + TOKEN_LIFE, session.expires_at)
        hashed = token_hash(token)
        values = {"district": session.district_id, "id": session.id, "token": hashed, "until": until}
        _ISSUE.run(connection, values)
        return HandedOver(session=session, token=token, token_expires_at=until, cookie=None)


def _session(row: tuple[Any, ...]) -> LessonSession:
    (
        session_id, district_id, person_id, role, grant_id, grant_epoch, membership_id, resource_link_id,
        lesson_id, activity_id, locale, expires_at,
    ) = row  # fmt: skip
    return LessonSession(
        id=session_id,
        district_id=district_id,
        person_id=person_id,
        role=role,
        grant_id=grant_id,
        grant_epoch=grant_epoch,
        membership_id=membership_id,
        resource_link_id=resource_link_id,
        lesson_id=lesson_id,
        activity_id=activity_id or "",
        locale=locale or "",
        expires_at=expires_at,
    )
