"""Claiming a tenant of the operator's application: an administrator of a district shows that they administer it.

Proof is a sign-in at the provider, with an account that the provider calls an administrator of that tenant. A claim is
short, opens once, and is bound to the session and district in which it began. Nothing of the account is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.connected import Connected
from lti_server.accounts.connecting import Connecting
from lti_server.accounts.provider_connections import Opening, ProviderConnections
from lti_server.accounts.tables import tenant_claim
from lti_server.accounts.waiting_tenants import LONGEST_TENANT, WaitingTenants
from lti_server.db import Database
from lti_server.errors import Conflict, NotFound
from lti_server.ids import Clock, DistrictId, SessionId, new_id
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use
from lti_server.providers.manifest import Manifest
from lti_server.providers.records import SourceIdentity

LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One that is open. `tenant` is None until it is proven; `refused`: whoever signed in does not administer one."""

    id: UUID
    district_id: DistrictId
    session_id: SessionId
    provider: str
    tenant: str | None
    refused: bool


class TenantClaims:
    """The use cases of claiming. One transaction each."""

    def __init__(
        self,
        *,
        database: Database,
        connections: ProviderConnections,
        connecting: Connecting,
        waiting: WaitingTenants,
        district: Callable[[Connection], District],
        clock: Clock,
    ) -> None:
        self._database = database
        self._connections = connections
        self._connecting = connecting
        self._waiting = waiting
        self._district = district
        self._clock = clock

    def open(self, district_id: DistrictId, session_id: SessionId, provider: str) -> UUID:
        """Begin a claim; a former one of the same session is over.

        Raises:
            NotFound: the provider cannot be connected, has no application of the operator's, or names nobody who
                administers.
        """
        offer, _manifest = self._connecting.offer(district_id, provider)
        if not offer.provable:
            raise NotFound("A tenant of this provider cannot be claimed here. Ask the operator of this server.")
        claim_id, now = new_id(), self._clock.now()
        values = {"id": claim_id, "district": district_id, "session": session_id, "provider": provider, "now": now}
        with self._database.tenant(district_id) as connection:
            connection.execute(_OVER, values)
            connection.execute(_OPEN, {**values, "until": now + LIFE})
        return claim_id

    def standing(self, district_id: DistrictId, session_id: SessionId, claim_id: UUID) -> Claim:
        """A claim of this very session.

        Raises:
            NotFound: there is none, or its ten minutes are over.
        """
        with self._database.tenant(district_id) as connection:
            return self._open(connection, district_id, session_id, claim_id)

    def application(self, provider: str) -> Mapping[str, object]:
        """By which a claim is proven.

        Raises:
            NotFound: the operator has none (any more).
        """
        found = self._connections.application_of(provider)
        if found is None:
            raise NotFound("The operator of this server has no application at this provider (any more).")
        return found

    def prove(self, claim: Claim, identity: SourceIdentity) -> bool:
        """Whoever signed in administers the tenant of their account, or not; either is the end of the proof.

        Raises:
            Conflict: this claim had its answer already.
        """
        tenant = identity.tenant
        proven = identity.administers and bool(tenant) and len(tenant) <= LONGEST_TENANT and tenant.isprintable()
        now = self._clock.now()
        values = {"id": claim.id, "tenant": tenant if proven else None, "now": now, "refused": not proven}
        with self._database.tenant(claim.district_id) as connection:
            if connection.execute(_PROVE, values).rowcount == 0:
                raise Conflict("This claim had its answer already. Begin it again.")
            self._note(connection, claim, now, proven=proven)
        return proven

    def take(self, district_id: DistrictId, session_id: SessionId, claim_id: UUID, *, by: str) -> Connected:
        """Connect the proven tenant. The connection has the claim's id, so that a claim makes one and no other.

        Raises:
            NotFound, Conflict: it is over, not proven, or the tenant cannot be connected here; not why.
            NoContract, ContractForbids: as `ProviderConnections.connect`.
        """
        claim = self.standing(district_id, session_id, claim_id)
        if claim.tenant is None:
            raise Conflict("Nothing is proven yet. Sign in at the provider first.")
        offer, manifest = self._connecting.offer(district_id, claim.provider)
        made = self._connections.connect(
            district_id, claim.provider, _of_tenant(manifest, claim.tenant), by=by,
            opening=Opening(uses=frozenset[Use](offer.uses), id=claim_id),
        )  # fmt: skip
        self._waiting.connected(claim.provider, claim.tenant)
        return made

    def _open(self, connection: Connection, district_id: DistrictId, session_id: SessionId, claim_id: UUID) -> Claim:
        row = connection.execute(
            _STANDING, {"id": claim_id, "session": session_id, "now": self._clock.now()}
        ).one_or_none()
        if row is None:
            raise NotFound(
                "This claim is over: it holds for ten minutes, in the session in which it began. Begin again."
            )
        return _claim(district_id, row)

    def _note(self, connection: Connection, claim: Claim, now: datetime, *, proven: bool) -> None:
        entry = log.entry(
            self._district(connection).keys, at=now, actor=f"staff:{claim.session_id}", act="tenant claim",
            decision="allowed" if proven else "refused", purpose="operation", interest=log.Interest.OPERATION,
            payload={"provider": claim.provider, "claim": str(claim.id)},
        )  # fmt: skip
        log.record(connection, entry)


def _of_tenant(manifest: Manifest, tenant: str) -> dict[str, object]:
    return {manifest.tenant: tenant}


def _claim(district_id: DistrictId, row: sa.Row[Any]) -> Claim:
    return Claim(
        id=row.id, district_id=district_id, session_id=SessionId(row.session_id), provider=row.provider,
        tenant=row.tenant, refused=row.refused,
    )  # fmt: skip


_OVER = sa.delete(tenant_claim).where(
    sa.or_(tenant_claim.c.session_id == sa.bindparam("session"), tenant_claim.c.expires_at < sa.bindparam("now"))
)
_OPEN = sa.text(
    "INSERT INTO tenant_claim (id, district_id, session_id, provider, created_at, expires_at)"
    " VALUES (:id, :district, :session, :provider, :now, :until)"
)
_STANDING = sa.text(
    "SELECT id, session_id, provider, tenant, refused FROM tenant_claim"
    " WHERE id = :id AND session_id = :session AND expires_at > :now"
)
_PROVE = sa.text(
    "UPDATE tenant_claim SET tenant = :tenant, refused = :refused"
    " WHERE id = :id AND tenant IS NULL AND NOT refused AND expires_at > :now"
)
