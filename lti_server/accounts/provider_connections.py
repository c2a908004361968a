"""Providers of a district: connected with a configuration under its key, found by tenant, and gone with their grant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.adult_providers import contract_lets
from lti_server.accounts.applications import in_force as application_in_force
from lti_server.accounts.applications import is_own
from lti_server.accounts.connected import PURPOSE, Connected, FindConnections, configuration
from lti_server.accounts.connected import application as opened_application
from lti_server.accounts.tables import provider_application
from lti_server.db import Database, Door, close_door, enter_by, open_door
from lti_server.errors import Conflict, ContractForbids, InvalidInput, NoContract, NotFound
from lti_server.ids import Clock, DistrictId, GrantId, new_id
from lti_server.privacy import grants, log
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.grant_states import Use
from lti_server.privacy.rewrap import Wrapped
from lti_server.providers.connector import Connector
from lti_server.providers.manifest import Capability, Manifest

WRAPPED = Wrapped(
    table=provider_application, column="wrapped", purpose=PURPOSE, place=lambda row: row.provider.encode(),
    by_district=False,
)  # fmt: skip
BY_CONFIGURATION = frozenset({Capability.LOGIN, Capability.ROSTER, Capability.GRADES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a new connection begins: for what, and under which `id`, so that a form that comes twice makes one.

    `holds_tenant`: whoever comes by the operator's application from its tenant is led to it. A tenant that nobody has
    proven holds nothing: it only narrows who comes by the district's own application.
    """

    uses: frozenset[Use] = frozenset(Use)
    id: UUID | None = None
    holds_tenant: bool = True


AS_EVER = Opening()


class ProviderConnections:
    """Connects providers, and finds their connections. One transaction a use case."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        doors: Callable[[], DoorKeys],
        district: Callable[[Connection], District],
        connector: Connector,
        manifest: Callable[[str], Manifest],
        policies: Policies,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ring = ring
        self._doors = doors
        self._district = district
        self._connector = connector
        self._manifest = manifest
        self._policies = policies
        self._clock = clock
        self._find = FindConnections(database, ring, manifest)

    def application(self, provider: str, config: Mapping[str, object], *, by: str) -> None:
        """Keep the operator's own application at a provider: districts connect their tenant of it.

        Raises:
            NotFound: no such plugin runs. InvalidInput: a field is unknown, or of the wrong kind.
        """
        manifest = self.connectable(provider)
        known = {item.name: item for item in manifest.config}
        faults = [
            (f"/{name}", f"{name} is not a field of {provider}'s configuration.")
            for name in config
            if name not in known
        ]
        faults += [
            (f"/{name}", fault)
            for name, value in config.items()
            if name in known and (fault := known[name].fault(value)) is not None
        ]
        if faults:
            raise InvalidInput.listing("The application was not kept.", faults)
        wrapped = self._ring.wrap(PURPOSE, provider.encode(), json.dumps(dict(config)).encode())
        values = {"provider": provider, "wrapped": wrapped, "now": self._clock.now(), "by": by}
        with self._database.anyone() as connection:
            connection.execute(_PUT_APPLICATION, values)

    def connect(
        self, district_id: DistrictId, provider: str, config: Mapping[str, object], *, by: str,
        opening: Opening = AS_EVER,
    ) -> Connected:  # fmt: skip
        """Connect a provider to a district, with a grant; what is connected already gets the new configuration.

        Under the `id` of an opening nothing but the connection that it made gets one.

        Raises:
            NotFound: no such plugin runs. InvalidInput: the configuration does not fit.
            NoContract, ContractForbids: no contract in force allows this provider.
            Conflict: the tenant is another district's, or there is another connection already.
        """
        manifest = self.connectable(provider)
        merged = application_in_force(manifest, self._application(provider), config)
        self._connector.check(provider, merged)
        tenant = str(merged.get(manifest.tenant) or "") if manifest.tenant else ""
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            self._allowed(connection, district, manifest)
            connection.execute(sa.text("SELECT 1 FROM district FOR NO KEY UPDATE"))  # one at a time in a district
            row = connection.execute(_LIVE, {"provider": provider, "tenant": tenant or None}).one_or_none()
            if row is None:
                connection_id, grant_id = self._open(connection, district, provider, tenant, by, opening)
            elif opening.id not in (None, row.id):
                raise Conflict("This is connected already. Change it on the page of the connection.")
            else:
                connection_id, grant_id = row.id, GrantId(row.grant_id)
            # By its grant the commands find it, and what the provider says by itself; also once it is withdrawn.
            open_door(connection, Door.GRANT, self._doors().of(Door.GRANT, str(grant_id)), grant_id)
            sealed = district.keys.seal("provider_connection", "sealed", connection_id, json.dumps(dict(config)))
            connection.execute(_CONFIGURE, {"id": connection_id, "sealed": sealed})
            self._note(connection, district, by, provider, grant_id)
        return Connected(
            id=connection_id, district_id=district_id, grant_id=grant_id, provider=provider, tenant=tenant or None,
            config=merged, own_application=is_own(manifest, config),
        )  # fmt: skip

    def _open(
        self, connection: Connection, district: District, provider: str, tenant: str, by: str, opening: Opening
    ) -> tuple[UUID, GrantId]:
        now, connection_id = self._clock.now(), opening.id or new_id()
        grant_id = grants.open_grant(connection, district.id, provider, now, uses=opening.uses)
        values = {
            "id": connection_id, "district": district.id, "grant": grant_id, "provider": provider,
            "tenant": tenant or None, "sealed": b"", "now": now, "by": by,
        }  # fmt: skip
        if connection.execute(_INSERT, values).one_or_none() is None:
            raise Conflict("This form has made a connection already. Open the form again.")
        doors = self._doors()
        open_door(connection, Door.CONNECTION, doors.of(Door.CONNECTION, str(connection_id)), connection_id)
        holds = opening.holds_tenant and tenant
        if holds and not open_door(connection, Door.TENANT, doors.of(Door.TENANT, provider, tenant), connection_id):
            raise Conflict(
                "This tenant cannot be connected here. If it is your district's, ask the operator of this server."
            )
        return connection_id, grant_id

    def standing(self, district_id: DistrictId, grant_id: GrantId) -> Connected:
        """A connection that its district may configure, with what the district itself brought as `config`.

        Raises:
            NotFound: the district has none by this grant, or it is revoked.
        """
        with self._database.tenant(district_id) as connection:
            district, row = self._district(connection), _of_grant(connection, grant_id)
            own = _opened(district, row)
        return Connected(
            id=row.id, district_id=district_id, grant_id=grant_id, provider=row.provider, tenant=row.tenant,
            config=own, own_application=is_own(self._manifest(row.provider), own),
        )  # fmt: skip

    def whole(self, found: Connected) -> Mapping[str, object]:
        """The configuration by which a standing connection goes."""
        return application_in_force(self._manifest(found.provider), self._application(found.provider), found.config)

    def reconfigure(self, district_id: DistrictId, grant_id: GrantId, config: Mapping[str, object], *, by: str) -> None:
        """Give a connection another configuration; its tenant and its grant stay, and nobody has to sign in anew.

        Raises:
            NotFound: as `standing`. InvalidInput: the configuration does not fit. Conflict: it names another tenant.
        """
        with self._database.tenant(district_id) as connection:
            district, row = self._district(connection), _of_grant(connection, grant_id)
            manifest = self.connectable(row.provider)
            merged = application_in_force(manifest, self._application(row.provider), config)
            self._connector.check(row.provider, merged)
            if str(merged.get(manifest.tenant) or "") != (row.tenant or ""):
                raise Conflict("A connection stays with its tenant. For another one make a new connection.")
            sealed = district.keys.seal("provider_connection", "sealed", row.id, json.dumps(dict(config)))
            connection.execute(_CONFIGURE, {"id": row.id, "sealed": sealed})
            self._note(connection, district, by, row.provider, grant_id)

    def one(self, connection_id: UUID) -> Connected:
        """A live connection, whichever district's it is.

        Raises:
            NotFound: there is none.
        """
        return self._find.one(Door.CONNECTION, self._doors().of(Door.CONNECTION, str(connection_id)))

    def of_tenant(self, provider: str, tenant: str) -> Connected:
        """The live connection of a provider's tenant.

        Raises:
            NotFound: no district has connected it. Paused: one has, and has suspended it.
        """
        return self._find.one(Door.TENANT, self._doors().of(Door.TENANT, provider, tenant))

    def of_grant(self, connection: Connection, grant_id: GrantId) -> Connected | None:
        """The connection of a grant of the entered district, a suspended one too; None where it is none, or over."""
        row = connection.execute(_OF_GRANT, {"grant": grant_id}).one_or_none()
        return None if row is None else self._read(connection, row)

    def of_district(self, slug: str, provider: str) -> list[Connected]:
        """The live connections of a district to one provider, oldest first; none for a district that is not here."""
        return self._find.of_district(self._doors().of(Door.DISTRICT, slug.strip().lower()), provider)

    def providers_of(self, slug: str) -> list[str]:
        """The providers by which a district's people sign in now, by name."""
        with self._database.anyone() as connection:
            if enter_by(connection, Door.DISTRICT, self._doors().of(Door.DISTRICT, slug.strip().lower())) is None:
                return []
            return list(connection.execute(_WAYS_IN).scalars())

    def application_of(self, provider: str) -> Mapping[str, object] | None:
        """The operator's configuration, where it is whole enough to sign in with."""
        found = self._application(provider)
        try:
            self._connector.check(provider, found)
        except InvalidInput:
            return None
        return found

    def _read(self, connection: Connection, row: sa.Row[Any]) -> Connected:
        district = self._district(connection)
        own, manifest = _opened(district, row), self._manifest(row.provider)
        return Connected(
            id=row.id, district_id=district.id, grant_id=GrantId(row.grant_id), provider=row.provider,
            tenant=row.tenant, config=application_in_force(manifest, self._application(row.provider), own),
            own_application=is_own(manifest, own),
        )  # fmt: skip

    def _application(self, provider: str) -> dict[str, object]:
        with self._database.anyone() as connection:
            wrapped = connection.execute(_APPLICATION, {"provider": provider}).scalar_one_or_none()
        return opened_application(self._ring, provider, wrapped)

    def connectable(self, provider: str) -> Manifest:
        """What a plugin says of itself that is connected by a configuration.

        Raises:
            NotFound: no such plugin runs. InvalidInput: it is connected in another way.
        """
        manifest = self._manifest(provider)
        if not manifest.capabilities & BY_CONFIGURATION or provider == "lti":
            raise InvalidInput(f"{provider} is not connected by a configuration. See `lti-server platform add`.")
        return manifest

    def _allowed(self, connection: Connection, district: District, provider: Manifest) -> None:
        contract_id = in_force(connection, district.zone, self._clock.now())
        if contract_id is None:
            raise NoContract("The district has no contract in force. Sign one before you connect a provider.")
        policy = self._policies.of(connection, contract_id)
        if contract_lets(provider, policy):
            return
        if policy.providers is None:
            raise ContractForbids(
                f"{provider.name} is for adults alone, so a district connects it only where its contract names it. "
                "Leave it out, or sign a contract whose providers name it."
            )
        raise ContractForbids(f"The district's contract names its providers, and {provider.name} is not among them.")

    def _note(self, connection: Connection, district: District, by: str, provider: str, grant_id: GrantId) -> None:
        entry = log.entry(
            district.keys, at=self._clock.now(), actor=by, act="provider connect", decision="allowed",
            purpose="operation", interest=log.Interest.OPERATION,
            payload={"provider": provider, "grant": str(grant_id)},
        )  # fmt: skip
        log.record(connection, entry)


def connected_tenants(connection: Connection) -> list[dict[str, str]]:
    """The tenants to which the entered district's connections are bound, by provider."""
    return [
        {"provider": row.provider, "tenant": row.tenant, "grant_id": str(row.grant_id), "state": row.state}
        for row in connection.execute(_TENANTS)
    ]


def _of_grant(connection: Connection, grant_id: GrantId) -> sa.Row[Any]:
    row = connection.execute(_OF_GRANT, {"grant": grant_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such connection, or it is revoked.")
    return row


def _opened(district: District, row: sa.Row[Any]) -> dict[str, object]:
    return configuration(district, row.id, bytes(row.sealed))


def forget(connection: Connection, grant_id: GrantId, at: Any) -> int:
    """A grant is withdrawn: the configuration with its secrets goes, and nothing leads to the connection any more."""
    gone = list(connection.execute(_END, {"grant": grant_id, "at": at}).scalars())
    for one in gone:
        close_door(connection, Door.CONNECTION, one)
        close_door(connection, Door.TENANT, one)
    return len(gone)


_PUT_APPLICATION = sa.text(
    "INSERT INTO provider_application (provider, wrapped, connected_at, connected_by)"
    " VALUES (:provider, :wrapped, :now, :by) ON CONFLICT (provider) DO UPDATE"
    " SET wrapped = excluded.wrapped, connected_at = excluded.connected_at, connected_by = excluded.connected_by"
)
_APPLICATION = sa.text("SELECT wrapped FROM provider_application WHERE provider = :provider")
_INSERT = sa.text(
    "INSERT INTO provider_connection (id, district_id, grant_id, provider, tenant, sealed, connected_at, connected_by)"
    " VALUES (:id, :district, :grant, :provider, :tenant, :sealed, :now, :by) ON CONFLICT (id) DO NOTHING RETURNING id"
)
_CONFIGURE = sa.text("UPDATE provider_connection SET sealed = :sealed WHERE id = :id AND ended_at IS NULL")
_LIVE = sa.text(
    "SELECT id, grant_id FROM provider_connection WHERE provider = :provider AND ended_at IS NULL"
    " AND tenant IS NOT DISTINCT FROM :tenant"
)
_TENANTS = sa.text(
    "SELECT c.provider, c.tenant, c.grant_id, g.state FROM provider_connection c JOIN grants g ON g.id = c.grant_id"
    " WHERE c.ended_at IS NULL AND c.tenant IS NOT NULL ORDER BY c.provider, c.tenant"
)
_OF_GRANT = sa.text(
    "SELECT id, grant_id, provider, tenant, sealed FROM provider_connection WHERE grant_id = :grant"
    " AND ended_at IS NULL"
)
_WAYS_IN = sa.text(
    "SELECT DISTINCT c.provider FROM provider_connection c JOIN grants g ON g.id = c.grant_id"
    " WHERE c.ended_at IS NULL AND g.state = 'active' AND 'signin' = ANY (g.uses) ORDER BY c.provider"
)
_END = sa.text(
    "UPDATE provider_connection SET ended_at = :at, sealed = NULL WHERE grant_id = :grant AND ended_at IS NULL"
    " RETURNING id"
)
