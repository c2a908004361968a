"""The keys that sign documents: private halves wrapped, public halves published for good."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import OKPKey
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import Clock, DistrictId
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.signed_documents import ALGORITHM, DocumentKey, Kind, signed
from lti_server.privacy.tables import document_key

MAKE_LOCK = 6_271_305
DESTROYED = b""


class DocumentKeys:
    """One key signs. A former key's private half is destroyed; its public half stays, for its files are still about.

    The keys of `/lti/jwks` are others: those come and go within days, and every LMS takes what they sign.
    """

    def __init__(self, database: Database, ring: KeyRing, clock: Clock, *, issuer: str) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._issuer = issuer

    def sign(
        self,
        connection: Connection,
        kind: Kind,
        body: Mapping[str, object],
        *,
        district_id: DistrictId | None,
        at: datetime,
    ) -> bytes:
        """A signed file about one district, or about the installation at None; `at` is the moment of the fact.

        Raises:
            ValueError: the body is not as its kind says.
        """
        return signed(kind, body, district_id=district_id, issuer=self._issuer, at=at, key=self._current(connection))

    def public_jwks(self) -> dict[str, Any]:
        """Every key that ever signed, public halves alone, oldest first (RFC 7517)."""
        listed = sa.select(document_key.c.public_jwk).order_by(document_key.c.created_at, document_key.c.kid)
        with self._database.anyone() as connection:
            self._current(connection)
            return {"keys": list(connection.execute(listed).scalars())}

    def rotate(self) -> str:
        """Sign with a new key from here on and destroy the present one's private half; answers with the new kid."""
        live = document_key.c.retired_at.is_(None)
        with self._database.anyone() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKE_LOCK})
            connection.execute(
                document_key.update().where(live).values(retired_at=self._clock.now(), wrapped_private=DESTROYED)
            )
            return self._make(connection)

    def _current(self, connection: Connection) -> DocumentKey:
        select = sa.select(document_key.c.kid, document_key.c.wrapped_private).where(
            document_key.c.retired_at.is_(None)
        )
        row = connection.execute(select).one_or_none()
        if row is None:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKE_LOCK})
            row = connection.execute(select).one_or_none()
        if row is None:
            self._make(connection)
            row = connection.execute(select).one()
        return _opened(self._ring, row.kid, bytes(row.wrapped_private))

    def _make(self, connection: Connection) -> str:
        key = OKPKey.generate_key(ALGORITHM, private=True)
        kid = key.thumbprint()
        private = json.dumps(key.as_dict(private=True)).encode()
        connection.execute(
            document_key.insert().values(
                kid=kid,
                public_jwk={**key.as_dict(private=False), "kid": kid, "alg": ALGORITHM, "use": "sig"},
                wrapped_private=self._ring.wrap("document_key", kid.encode(), private),
                created_at=self._clock.now(),
            )
        )
        return kid


@functools.lru_cache(maxsize=16)
def _opened(ring: KeyRing, kid: str, wrapped: bytes) -> DocumentKey:
    return DocumentKey(kid=kid, key=OKPKey.import_key(json.loads(ring.unwrap("document_key", kid.encode(), wrapped))))
