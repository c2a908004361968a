"""The keys with which this tool signs: kept wrapped, published as a JWK set."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import RSAKey
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import Clock
from lti_server.lti.tables import tool_key
from lti_server.privacy.crypto import KeyRing

KEY_BITS = 2048
MAKE_LOCK = 6_271_303


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs now."""

    kid: str
    key: RSAKey


class ToolKeys:
    """Makes the first key when there is none; several live keys and rotation stand on the same table."""

    def __init__(self, database: Database, ring: KeyRing, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock

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
            self._make(connection)
            row = connection.execute(select).one()
        return _opened(self._ring, row.kid, bytes(row.wrapped_private))

    def _make(self, connection: Connection) -> None:
        now = self._clock.now()
        key = RSAKey.generate_key(KEY_BITS, private=True)
        kid = key.thumbprint()
        public = {**key.as_dict(private=False), "kid": kid, "alg": "RS256", "use": "sig"}
        private = json.dumps(key.as_dict(private=True)).encode()
        connection.execute(
            tool_key.insert().values(
                kid=kid,
                public_jwk=public,
                wrapped_private=self._ring.wrap("tool_key", kid.encode(), private),
                created_at=now,
                signs_from=now,
            )
        )


@functools.lru_cache(maxsize=16)
def _opened(ring: KeyRing, kid: str, wrapped: bytes) -> SigningKey:
    """Parsed once a process: loading a private key with its checks takes tens of milliseconds."""
    return SigningKey(kid=kid, key=RSAKey.import_key(json.loads(ring.unwrap("tool_key", kid.encode(), wrapped))))
