"""What a district connects: a provider of its own, beside an application that is the operator's; and what it says."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from lti_server.accounts import kept_tokens
from lti_server.accounts.model import Kind, Known
from lti_server.accounts.person_sessions import provider_session_hash
from lti_server.app import House
from lti_server.ids import DistrictId
from lti_server.providers.records import SourceToken, TokenKind
from lti_server.sign_in_parts import SignInHouse
from tests.functional.tenants.one_person import merged

NEVER = datetime(2999, 1, 1, tzinfo=UTC)
_SOMEBODY = sa.text(
    "SELECT i.id, i.person_id, p.wrapped_key FROM identity i JOIN person p ON p.id = i.person_id"
    " WHERE i.ended_at IS NULL AND p.wrapped_key IS NOT NULL ORDER BY i.created_at, i.id LIMIT 1"
)
_NAMED = sa.text("UPDATE session SET provider_session_hash = :hash WHERE person_id IS NOT NULL")
_RECEIPT = sa.text(
    "INSERT INTO signal_receipt (id, district_id, grant_id, person_id, provider, kind, outcome, sessions, occurred_at,"
    " received_at, acted_at, expires_at) SELECT gen_random_uuid(), p.district_id, :grant, p.id, 'oidc',"
    " 'sessions_revoked', 'sessions_ended', 0, now(), now(), now(), now() + '90 days' FROM person p LIMIT 1"
)


def connected(house: House, district_id: DistrictId, slug: str) -> None:
    """A provider that nobody reaches, whose every word names its district, and which has said something of somebody."""
    connections = SignInHouse(house).connections
    connections.application("oidc", {"client_id": "everybody's"}, by="operator")
    config = {"issuer": f"https://id.{slug}.invalid", "client_id": slug, "client_secret": slug}
    made = connections.connect(district_id, "oidc", config, by=f"staff of {slug}")
    merged(house, district_id, made.grant_id, slug)
    with house.database.tenant(district_id) as connection:
        hashed = provider_session_hash(house.entered(connection).keys, f"https://id.{slug}.invalid", slug, slug)
        connection.execute(_NAMED, {"hash": hashed})
        row = connection.execute(_SOMEBODY).one()
        known = Known(
            person_id=row.person_id, identity_id=row.id, kind=Kind.PUPIL, wrapped_key=bytes(row.wrapped_key),
            fingerprints={},
        )  # fmt: skip
        token = SourceToken(value=f"a token of {slug}", kind=TokenKind.ACCESS, expires_at=NEVER)
        kept_tokens.keep(connection, house.entered(connection).keys, known, [token], house.clock.now())
        connection.execute(_RECEIPT, {"grant": made.grant_id})
