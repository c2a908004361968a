"""The keys with which this tool signs: kept wrapped, published as a JWK set."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import RSAKey
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import Conflict
from lti_server.ids import Clock
from lti_server.lti.tables import tool_key
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.rewrap import Wrapped

KEY_BITS = 2048
MAKE_LOCK = 6_271_303
PUBLISHED_BEFORE = timedelta(days=1)
PUBLISHED_AFTER = timedelta(days=7)
DESTROYED = b""
WRAPPED = Wrapped(
    table=tool_key, column="wrapped_private", purpose="tool_key", place=lambda row: row.kid.encode(), by_district=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs now."""

    kid: str
    key: RSAKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolKeyRow:
    """A key and where it is in its life; `retires_at` is None while no later key is there."""

    kid: str
    state: str
    created_at: datetime
    signs_from: datetime
    retires_at: datetime | None


class ToolKeys:
    """Keys that overlap: each is published a day before it signs, and a week after the next one took over.

    A day, because platforms keep a key set for up to half of one; a week, because an answer that was signed by the
    former key may lie in a queue or in an open page for days.
    """

    def __init__(self, database: Database, ring: KeyRing, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock

    def every(self) -> list[ToolKeyRow]:
        """All keys that ever were, oldest first; those that are retired have no private half any more."""
        with self._database.anyone() as connection:
            self._current(connection)
            return self._rows(connection)

    def rotate(self, *, compromised: bool = False) -> ToolKeyRow:
        """Make the next key. It signs after a day; at once where the present one is compromised and withdrawn.

        After `compromised`, a platform that has kept the former key set refuses this tool until it reads the new one.

        Raises:
            Conflict: a key is waiting for its day already.
        """
        with self._database.anyone() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKE_LOCK})
            self._current(connection)
            now = self._clock.now()
            live = tool_key.c.retired_at.is_(None)
            if compromised:
                signed = live & (tool_key.c.signs_from <= now)
                connection.execute(tool_key.update().where(signed).values(retired_at=now, wrapped_private=DESTROYED))
                kid = self._make(connection, now)
            else:
                if connection.execute(sa.select(tool_key.c.kid).where(live, tool_key.c.signs_from > now)).first():
                    raise Conflict("A key is waiting for its day already. `lti-server keys list` shows it.")
                kid = self._make(connection, now + PUBLISHED_BEFORE)
            return next(row for row in self._rows(connection) if row.kid == kid)

    def retire(self) -> None:
        """Withdraw keys whose successor has signed for a week, and destroy their private halves."""
        now = self._clock.now()
        with self._database.anyone() as connection:
            due = [row.kid for row in self._rows(connection) if row.state == "resting" and _past(row, now)]
            if due:
                connection.execute(
                    tool_key.update().where(tool_key.c.kid.in_(due)).values(retired_at=now, wrapped_private=DESTROYED)
                )

    def _rows(self, connection: Connection) -> list[ToolKeyRow]:
        now = self._clock.now()
        found = connection.execute(sa.select(tool_key).order_by(tool_key.c.signs_from, tool_key.c.created_at)).all()
        rows = []
        for number, row in enumerate(found, start=1):
            later = found[number] if number < len(found) else None
            retires = row.retired_at or (later.signs_from + PUBLISHED_AFTER if later is not None else None)
            rows.append(
                ToolKeyRow(
                    kid=row.kid, state=_state(row, later, now), created_at=row.created_at, signs_from=row.signs_from,
                    retires_at=retires,
                )
            )  # fmt: skip
        return rows

    def current(self) -> SigningKey:
        """The newest key that may sign."""
        with self._database.anyone() as connection:
            return self._current(connection)

    def public_jwks(self) -> dict[str, Any]:
        """Every key that a platform may meet, public halves alone (RFC 7517)."""
        with self._database.anyone() as connection:
            self._current(connection)
            rows = connection.execute(
                sa.select(tool_key.c.public_jwk).where(tool_key.c.retired_at.is_(None)).order_by(tool_key.c.created_at)
            ).scalars()
            return {"keys": list(rows)}

    def _current(self, connection: Connection) -> SigningKey:
        now = self._clock.now()
        select = (
            sa.select(tool_key)
            .where(tool_key.c.retired_at.is_(None), tool_key.c.signs_from <= now + timedelta(seconds=1))
            .order_by(tool_key.c.signs_from.desc(), tool_key.c.created_at.desc())
            .limit(1)
        )
        row = connection.execute(select).one_or_none()
        if row is None:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKE_LOCK})
            row = connection.execute(select).one_or_none()
        if row is None:
            self._make(connection, self._clock.now())
            row = connection.execute(select).one()
        return _opened(self._ring, row.kid, bytes(row.wrapped_private))

    def _make(self, connection: Connection, signs_from: datetime) -> str:
        key = RSAKey.generate_key(KEY_BITS, private=True)
        kid = key.thumbprint()
        public = {**key.as_dict(private=False), "kid": kid, "alg": "RS256", "use": "sig"}
        private = json.dumps(key.as_dict(private=True)).encode()
        connection.execute(
            tool_key.insert().values(
                kid=kid,
                public_jwk=public,
                wrapped_private=self._ring.wrap("tool_key", kid.encode(), private),
                created_at=self._clock.now(),
                signs_from=signs_from,
            )
        )
        return kid


def _state(row: Any, later: Any, now: datetime) -> str:
    if row.retired_at is not None:
        return "retired"
    if row.signs_from > now:
        return "published"
    return "resting" if later is not None and later.signs_from <= now else "signing"


def _past(row: ToolKeyRow, now: datetime) -> bool:
    return row.retires_at is not None and row.retires_at <= now


@functools.lru_cache(maxsize=16)
def _opened(ring: KeyRing, kid: str, wrapped: bytes) -> SigningKey:
    """Parsed once a process: loading a private key with its checks takes tens of milliseconds."""
    return SigningKey(kid=kid, key=RSAKey.import_key(json.loads(ring.unwrap("tool_key", kid.encode(), wrapped))))
