"""Sessions of people who signed in: opened by an identity, read at each use, ended with whatever they stand on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.model import Kind
from lti_server.accounts.withdrawal import close_sessions
from lti_server.db import Database, Door, enter_by, open_door
from lti_server.ids import Clock, DistrictId, GrantId, IdentityId, PersonId, SessionId, new_id
from lti_server.privacy.crypto import DistrictKeys, new_token, token_hash
from lti_server.statements import Statement

# A lesson's afternoon, and a shared computer that nobody has touched for an hour.
SESSION_LIFE = timedelta(hours=12)
IDLE_LIFE = timedelta(hours=1)
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSession:
    """Who is signed in, by which identity; times are aware UTC."""

    id: SessionId
    district_id: DistrictId
    person_id: PersonId
    identity_id: IdentityId
    grant_id: GrantId
    provider: str
    role: str
    epoch: int
    locale: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new session, and the cookie that is its only key."""

    session_id: SessionId
    cookie: str = field(repr=False)


def open_session(
    connection: Connection,
    *,
    district_id: DistrictId,
    person_id: PersonId,
    identity_id: IdentityId,
    grant_id: GrantId,
    epoch: int,
    kind: Kind,
    locale: str,
    now: datetime,
    at_provider: bytes | None = None,
) -> Opened:
    """A session of its own at every sign-in, so that none can be fixed before. The grant must stand (LG001).

    `at_provider` is `provider_session_hash` of what the provider calls this sign-in, where it calls it something.
    """
    cookie, session_id, until = new_token(), SessionId(new_id()), now + SESSION_LIFE
    connection.execute(
        _OPEN,
        {
            "id": session_id, "district": district_id, "person": person_id, "identity": identity_id,
            "grant": grant_id, "epoch": epoch, "role": "teacher" if kind is Kind.STAFF else "pupil",
            "locale": locale, "cookie": token_hash(cookie), "now": now, "until": until,
            "at_provider": at_provider,
        },
    )  # fmt: skip
    open_door(connection, Door.SESSION, token_hash(cookie), session_id, until)
    return Opened(session_id=session_id, cookie=cookie)


def provider_session_hash(keys: DistrictKeys, issuer: str, client_id: str, session: str) -> bytes:
    """A provider's own name of a sign-in (`sid`), keyed: it finds the session that a logout there ends, and no more."""
    return keys.lookup("provider_session", f"{issuer}\n{client_id}\n{session}")


class PersonSessions:
    """Reads and ends the sessions of people who signed in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, cookie: str) -> PersonSession | None:
        """Who a cookie is, at this moment: grant, identity and person must stand, and somebody been here lately."""
        if not cookie:
            return None
        now = self._clock.now()
        values = {"cookie": token_hash(cookie), "now": now, "idle": now - IDLE_LIFE}
        row = self._database.once(_READ, values)
        if row is None:
            return None
        found, district_id, person_id, identity_id, grant_id, epoch, role, locale, created, expires, seen, by = row
        if now - seen >= SEEN_EVERY:
            with self._database.tenant(DistrictId(district_id)) as connection:
                connection.execute(_SEEN, {"id": found, "now": now})
        return PersonSession(
            id=SessionId(found), district_id=DistrictId(district_id), person_id=PersonId(person_id),
            identity_id=IdentityId(identity_id), grant_id=GrantId(grant_id), provider=by, role=role, epoch=epoch,
            locale=locale or "", created_at=created, expires_at=expires,
        )  # fmt: skip

    def end(self, cookie: str) -> None:
        """Sign out: the session ends on the server, whatever the browser keeps."""
        if not cookie:
            return
        with self._database.anyone() as connection:
            if enter_by(connection, Door.SESSION, token_hash(cookie)) is None:
                return
            values = {"cookie": token_hash(cookie), "now": self._clock.now()}
            close_sessions(connection, list(connection.execute(_END, values).scalars()))


def end_by_providers(connection: Connection, person_id: PersonId, providers: Collection[str], at: datetime) -> int:
    """End what a pupil of the entered district has begun by one of these providers; how many sessions."""
    values = {"person": person_id, "providers": sorted(providers), "at": at}
    ended = list(connection.execute(_END_BY, values).scalars())
    close_sessions(connection, ended)
    return len(ended)


_OPEN = sa.text(
    "INSERT INTO session (id, district_id, person_id, identity_id, role, grant_id, grant_epoch, locale, cookie_hash,"
    " created_at, last_seen_at, expires_at, provider_session_hash)"
    " VALUES (:id, :district, :person, :identity, :role, :grant, :epoch, :locale, :cookie, :now, :now, :until,"
    " :at_provider)"
)
_READ = Statement("SELECT * FROM person_session_read(:cookie, :now, :idle)")
_END_BY = sa.text(
    "UPDATE session SET ended_at = :at, ticket_expires_at = least(session.ticket_expires_at, :at)"
    " FROM identity i, person p WHERE i.id = session.identity_id AND i.provider = ANY (:providers)"
    " AND p.id = session.person_id AND p.kind = 'pupil' AND :person IN (p.id, p.merged_into)"
    " AND session.ended_at IS NULL RETURNING session.id"
)
_SEEN = sa.text("UPDATE session SET last_seen_at = :now WHERE id = :id")
_END = sa.text(
    # The lessons that were opened from it go with it.
    "UPDATE session SET ended_at = :now, ticket_expires_at = least(session.ticket_expires_at, :now) FROM session mine"
    " WHERE mine.cookie_hash = :cookie AND mine.identity_id IS NOT NULL AND session.ended_at IS NULL"
    " AND (session.id = mine.id OR (session.identity_id = mine.identity_id AND session.lesson_id IS NOT NULL"
    " AND session.created_at >= mine.created_at)) RETURNING session.id"
)
