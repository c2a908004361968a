"""The door to `/me`: from a lesson's page by a ticket, once, to a session of one's own page (docs/adr/0012).

The lesson's token opens it not: a lesson on another site holds that, too, and knows nobody but by a pseudonym.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by, open_door
from lti_server.errors import NotAuthenticated
from lti_server.ids import Clock, DistrictId, PersonId, SessionId, new_id
from lti_server.privacy.crypto import KeyRing, new_token, token_hash
from lti_server.statements import Statement

TICKET_LIFE = timedelta(hours=2)
"""A ticket stands in a lesson's page for as long as that page's first token."""
LIFE = timedelta(minutes=30)
"""Computers in schools are shared: the page closes by itself."""
LONGEST_TICKET = 1_024

# The person's key says that nobody was erased; a block ends sessions (rights_parts.py).
_STANDS = Statement(
    "SELECT s.id, s.district_id, s.person_id, p.kind, s.expires_at FROM session s"
    " JOIN grants g ON g.id = s.grant_id JOIN person p ON p.id = s.person_id"
    " WHERE s.id = :id AND s.ended_at IS NULL AND s.expires_at > :now AND g.state = 'active'"
    " AND g.epoch = s.grant_epoch AND p.wrapped_key IS NOT NULL"
)
_SPEND = Statement(
    "INSERT INTO spent_nonce (district_id, nonce_hash, expires_at) VALUES (:district, :nonce, :until)"
    " ON CONFLICT DO NOTHING RETURNING 1"
)
_CLOSE = Statement("SELECT directory_close('own_page', :id)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    """Whose page it is. Read at each request; never kept."""

    id: SessionId
    district_id: DistrictId
    person_id: PersonId
    kind: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ticket:
    district_id: DistrictId
    session_id: SessionId
    nonce: str
    until: datetime


class OwnDoor:
    """Issues tickets, exchanges them for cookies, and says who a cookie is."""

    def __init__(self, *, database: Database, ring: KeyRing, clock: Clock) -> None:
        # itsdangerous signs with the last key of the list; the ring's first is the current one.
        keys = list(reversed(ring.signing_keys("own-page")))
        self._tickets = URLSafeSerializer(
            keys, salt="own-page", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._database = database
        self._clock = clock

    def ticket(self, district_id: DistrictId, session_id: SessionId, expires_at: datetime) -> str:
        """A ticket of a session that ends at `expires_at`. Signed, so that a lesson's page needs no row for it."""
        until = min(self._clock.now() + TICKET_LIFE, expires_at)
        said = [str(district_id), str(session_id), new_id().hex, int(until.timestamp())]
        return str(self._tickets.dumps(said))

    def open(self, ticket: str) -> str:
        """The cookie that a ticket is good for, once.

        Raises:
            NotAuthenticated: it is forged, too old or used, or its session, grant or person does not stand any more.
        """
        said, now, cookie = self._read(ticket), self._clock.now(), new_token()
        with self._database.tenant(said.district_id) as connection:
            found = self._standing(connection, said.session_id)
            spending = {"district": said.district_id, "nonce": token_hash(said.nonce), "until": said.until}
            if found is None or _SPEND.one(connection, spending) is None:
                raise _closed()
            until = min(now + LIFE, found.expires_at)
            open_door(connection, Door.OWN_PAGE, token_hash(cookie), found.id, until)
        return cookie

    def who(self, cookie: str) -> OwnSession:
        """Whose page a cookie opens, at this moment.

        Raises:
            NotAuthenticated: it is nobody's, or too old, or its session, grant or person does not stand any more.
        """
        with self._database.anyone() as connection:
            door = enter_by(connection, Door.OWN_PAGE, token_hash(cookie))
            found = None if door is None else self._standing(connection, SessionId(door.target_id))
        if found is None:
            raise _closed()
        return found

    def close(self, cookie: str) -> None:
        """Close the page that a cookie opens, and every other one of its session; the lesson goes on."""
        with self._database.anyone() as connection:
            door = enter_by(connection, Door.OWN_PAGE, token_hash(cookie))
            if door is not None:
                _CLOSE.run(connection, {"id": door.target_id})

    def _standing(self, connection: Connection, session_id: SessionId) -> OwnSession | None:
        row = _STANDS.one(connection, {"id": session_id, "now": self._clock.now()})
        if row is None:
            return None
        found, district_id, person_id, kind, expires_at = row
        return OwnSession(id=found, district_id=district_id, person_id=person_id, kind=kind, expires_at=expires_at)

    def _read(self, ticket: str) -> _Ticket:
        try:
            district_id, session_id, nonce, until = self._tickets.loads(ticket[:LONGEST_TICKET])
        except (BadData, ValueError) as error:
            raise _closed() from error
        found = _Ticket(
            district_id=DistrictId(UUID(district_id)), session_id=SessionId(UUID(session_id)), nonce=nonce,
            until=datetime.fromtimestamp(until, self._clock.now().tzinfo),
        )  # fmt: skip
        if found.until <= self._clock.now():
            raise _closed()
        return found


def _closed() -> NotAuthenticated:
    return NotAuthenticated("Open a lesson from your course, and choose “What is known about me” below it.")
