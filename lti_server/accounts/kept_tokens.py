"""The access token of a sign-in, kept for one purpose: that its owner can have it revoked where they disconnect it.

Under the person's key, where the provider can take a token back (capability `revoke`), and no longer than it lives.
Nothing else reads it (docs/adr/0014).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.model import Known
from lti_server.ids import IdentityId, PersonId
from lti_server.privacy.crypto import DistrictKeys
from lti_server.providers.records import SourceToken, TokenKind

LONGEST = timedelta(days=90)
UNSAID = timedelta(hours=1)
"""Where a provider does not say how long its token lives."""


def keep(connection: Connection, keys: DistrictKeys, known: Known, tokens: Sequence[SourceToken], at: datetime) -> None:
    """Keep the access token of a sign-in in the place of the one before."""
    token = next((one for one in tokens if one.kind is TokenKind.ACCESS), None)
    if token is None or known.wrapped_key is None:
        return
    until = min(token.expires_at or at + UNSAID, at + LONGEST)
    key = keys.person_key(known.person_id, known.wrapped_key)
    sealed = key.seal("identity", "sealed_token", known.identity_id, json.dumps({"value": token.value}))
    connection.execute(_KEEP, {"id": known.identity_id, "sealed": sealed, "until": until})


def take(connection: Connection, keys: DistrictKeys, identity_id: IdentityId, at: datetime) -> SourceToken | None:
    """The token of an identity, to be given back; none where none is kept, or it is over."""
    row = connection.execute(_TAKE, {"id": identity_id, "at": at}).one_or_none()
    if row is None:
        return None
    key = keys.person_key(PersonId(row.person_id), bytes(row.wrapped_key))
    said = json.loads(key.open("identity", "sealed_token", identity_id, bytes(row.sealed_token)))
    return SourceToken(value=said["value"], kind=TokenKind.ACCESS, expires_at=row.token_expires_at)


def forget(connection: Connection, identity_id: IdentityId) -> None:
    """The provider has revoked it by itself."""
    connection.execute(_FORGET, {"id": identity_id})


def wipe_expired(connection: Connection, at: datetime) -> int:
    """No token outlives itself in the entered district; how many went."""
    return connection.execute(_WIPE, {"at": at}).rowcount


_KEEP = sa.text("UPDATE identity SET sealed_token = :sealed, token_expires_at = :until WHERE id = :id")
_TAKE = sa.text(
    "SELECT i.person_id, i.sealed_token, i.token_expires_at, p.wrapped_key FROM identity i"
    " JOIN person p ON p.id = i.person_id WHERE i.id = :id AND i.sealed_token IS NOT NULL"
    " AND i.token_expires_at > :at AND p.wrapped_key IS NOT NULL"
)
_FORGET = sa.text("UPDATE identity SET sealed_token = NULL, token_expires_at = NULL WHERE id = :id")
_WIPE = sa.text("UPDATE identity SET sealed_token = NULL, token_expires_at = NULL WHERE token_expires_at <= :at")
