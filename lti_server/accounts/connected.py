"""Connections of providers as they stand, each found by one door in one way to the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lti_server.accounts.applications import in_force, is_own
from lti_server.db import Database, Door
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, GrantId
from lti_server.privacy import districts
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.districts import District
from lti_server.providers.manifest import Manifest
from lti_server.statements import Statement

PURPOSE = "provider_application"
_READ = Statement("SELECT * FROM connections_read(:kind, :door, :provider)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """One connection as it stands. `tenant` is None where its provider has none, or the connection is for all."""

    id: UUID
    district_id: DistrictId
    grant_id: GrantId
    provider: str
    tenant: str | None
    config: Mapping[str, object] = field(repr=False)
    own_application: bool


class Paused(NotFound):
    """A connection for signing in that is suspended: it is there, and lets nobody in for now."""

    def __init__(self, district_id: DistrictId) -> None:
        super().__init__("Signing in by this connection is paused.")
        self.district_id = district_id


class FindConnections:
    """Finds the connections by which somebody signs in, before anybody has entered a tenant (`connections_read`)."""

    def __init__(self, database: Database, ring: KeyRing, manifest: Callable[[str], Manifest]) -> None:
        self._database = database
        self._ring = ring
        self._manifest = manifest

    def one(self, door: Door, key: bytes) -> Connected:
        """The connection that a door leads to.

        Raises:
            NotFound: there is none that stands. Paused: there is, and its district has suspended it.
        """
        for found, state in self._rows(door, key, ""):
            if state == "suspended":
                raise Paused(found.district_id)
            return found
        raise NotFound("No district has connected this.")

    def of_district(self, key: bytes, provider: str) -> list[Connected]:
        """Those of a district to one provider, oldest first; none for a district that is not here."""
        return [one for one, state in self._rows(Door.DISTRICT, key, provider) if state == "active"]

    def _rows(self, door: Door, key: bytes, provider: str) -> list[tuple[Connected, str]]:
        rows = self._database.once_every(_READ, {"kind": door.value, "door": key, "provider": provider})
        return [(self._connected(row), row[5]) for row in rows]

    def _connected(self, row: tuple[Any, ...]) -> Connected:
        connection_id, grant_id, provider, tenant, sealed, _, wrapped, *district = row
        of, manifest = districts.read(self._ring, district), self._manifest(provider)
        own = configuration(of, connection_id, sealed)
        return Connected(
            id=connection_id, district_id=of.id, grant_id=GrantId(grant_id), provider=provider, tenant=tenant,
            config=in_force(manifest, application(self._ring, provider, wrapped), own),
            own_application=is_own(manifest, own),
        )  # fmt: skip


def configuration(district: District, connection_id: UUID, sealed: bytes) -> dict[str, object]:
    """The configuration that the district brought itself."""
    found: dict[str, object] = json.loads(district.keys.open("provider_connection", "sealed", connection_id, sealed))
    return found


def application(ring: KeyRing, provider: str, wrapped: bytes | None) -> dict[str, object]:
    """The configuration that the operator keeps for a provider; empty where there is none."""
    if wrapped is None:
        return {}
    found: dict[str, object] = json.loads(ring.unwrap(PURPOSE, provider.encode(), bytes(wrapped)))
    return found
