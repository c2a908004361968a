"""The door to `/me`: by a ticket, once, from a lesson's page or `/learn`, for half an hour (docs/adr/0012).

The lesson's token opens it not: a lesson on another site holds that, too, and knows nobody but by a pseudonym.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

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
# District, session, nonce, and until when in seconds; before them stands their code.
_SAID = struct.Struct(">16s16s16sQ")
_CODE_BYTES = 32

# The person's key says that nobody was erased; a block ends sessions (rights_parts.py).
_STANDS = Statement(
    "SELECT s.id, s.district_id, s.person_id, p.kind, s.expires_at FROM session s"
    " JOIN grants g ON g.id = s.grant_id JOIN person p ON p.id = s.person_id"
    " LEFT JOIN identity i ON i.id = s.identity_id"
    " WHERE s.id = :id AND s.ended_at IS NULL AND s.expires_at > :now AND g.state = 'active'"
    " AND g.epoch = s.grant_epoch AND p.wrapped_key IS NOT NULL"
    " AND i.ended_at IS NULL"
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
        self._keys = ring.signing_keys("own-page")
        self._database = database
        self._clock = clock

    def ticket(self, district_id: DistrictId, session_id: SessionId, expires_at: datetime) -> str:
        """A ticket of a session that ends at `expires_at`. Signed, so that a lesson's page needs no row for it."""
        until = min(self._clock.now() + TICKET_LIFE, expires_at)
        said = _SAID.pack(district_id.bytes, session_id.bytes, new_id().bytes, int(until.timestamp()))
        return base64.urlsafe_b64encode(_code(self._keys[0], said) + said).decode()

    def open(self, ticket: str, held: str = "") -> str:
        """The cookie that a ticket is good for, once.

        Whoever comes a second time from the same page, and holds the cookie that it led to, may go on with that.

        Raises:
            NotAuthenticated: it is forged, too old or used, or its session, grant or person does not stand any more.
        """
        said, now, cookie = self._read(ticket), self._clock.now(), new_token()
        with self._database.tenant(said.district_id) as connection:
            found = self._standing(connection, said.session_id)
            spending = {"district": said.district_id, "nonce": token_hash(said.nonce), "until": said.until}
            if found is None:
                raise _closed()
            if _SPEND.one(connection, spending) is None:
                door = enter_by(connection, Door.OWN_PAGE, token_hash(held))
                if door is None or door.target_id != found.id:
                    raise _closed()
                return held
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
            sent = base64.b64decode(ticket, altchars=b"-_", validate=True)
            said = sent[_CODE_BYTES:]
            district_id, session_id, nonce, until = _SAID.unpack(said)
        except (binascii.Error, ValueError, struct.error) as error:
            raise _closed() from error
        if not any(hmac.compare_digest(sent[:_CODE_BYTES], _code(key, said)) for key in self._keys):
            raise _closed()
        found = _Ticket(
            district_id=DistrictId(UUID(bytes=district_id)), session_id=SessionId(UUID(bytes=session_id)),
            nonce=nonce.hex(), until=datetime.fromtimestamp(until, UTC),
        )  # fmt: skip
        if found.until <= self._clock.now():
            raise _closed()
        return found


def _code(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")


def _closed() -> NotAuthenticated:
    return NotAuthenticated("Open a lesson from your course, and choose “What is known about me” below it.")
