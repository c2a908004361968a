"""What a district's administrator can connect, and why not the rest; and the connection that a filled form makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.accounts.adult_providers import contract_lets
from lti_server.accounts.connected import Connected
from lti_server.accounts.connection_form import offered
from lti_server.accounts.provider_connections import Opening, ProviderConnections
from lti_server.db import Database
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use
from lti_server.privacy.model import Policy
from lti_server.providers.manifest import Manifest
from lti_server.providers.registry import Plugin, PluginState

BY_REGISTRATION = "lti"
"""Connected by registering a platform, not by a configuration."""


class WhyNot(StrEnum):
    """Why a provider cannot be connected; the page has the words."""

    NO_CONTRACT = "no-contract"
    NOT_NAMED = "not-named"
    FOR_ADULTS = "for-adults"
    OFF = "off"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One installed provider. `shared`: the operator has an application there, of which a district has its tenant.

    `provable`: it says who administers a tenant, so that whose it is can be shown.
    """

    name: str
    title: str
    uses: tuple[Use, ...]
    why_not: WhyNot | None
    shared: bool
    provable: bool


class Connecting:
    """The use cases of the console's form. What is shown of its answers holds no secret."""

    def __init__(
        self,
        *,
        database: Database,
        connections: ProviderConnections,
        plugins: Callable[[], Sequence[Plugin]],
        district: Callable[[Connection], District],
        policies: Policies,
        clock: Clock,
    ) -> None:
        self._database = database
        self._connections = connections
        self._plugins = plugins
        self._district = district
        self._policies = policies
        self._clock = clock

    def offers(self, district_id: DistrictId) -> list[Offer]:
        """Every installed provider that a district could connect, those that it may first."""
        with self._database.tenant(district_id) as connection:
            zone = self._district(connection).zone
            contract_id = in_force(connection, zone, self._clock.now())
            policy = None if contract_id is None else self._policies.of(connection, contract_id)
        found = [
            self._offer(plugin.name, plugin.manifest, _why_not(plugin, policy))
            for plugin in self._plugins()
            if plugin.manifest is not None and plugin.name != BY_REGISTRATION and offered(plugin.manifest)
        ]
        return sorted(found, key=lambda one: (one.why_not is not None, one.title.casefold()))

    def offer(self, district_id: DistrictId, provider: str) -> tuple[Offer, Manifest]:
        """One that can be connected, and what its form is made from.

        Raises:
            NotFound: there is none, or not for this district; the list of offers says why.
        """
        found = next((one for one in self.offers(district_id) if one.name == provider), None)
        if found is None or found.why_not is not None:
            raise NotFound("This provider cannot be connected now. The list of providers says why.")
        return found, self._connections.connectable(provider)

    def connect(
        self,
        district_id: DistrictId,
        provider: str,
        config: Mapping[str, object],
        *,
        by: str,
        uses: Collection[Use],
        form_id: UUID,
    ) -> Connected:
        """Make the connection of a form, once, however often the form comes.

        The tenant that it names only narrows who comes in by it: nobody has proven whose it is.

        Raises:
            As `ProviderConnections.connect`; InvalidInput: for nothing that the provider can be connected for.
        """
        offer, _manifest = self.offer(district_id, provider)
        if not uses or not set(uses) <= set(offer.uses):
            raise InvalidInput("Choose what the connection is for.")
        opening = Opening(uses=frozenset(uses), id=form_id, holds_tenant=False)
        return self._connections.connect(district_id, provider, config, by=by, opening=opening)

    def standing(self, district_id: DistrictId, grant_id: GrantId) -> tuple[Connected, Manifest]:
        """A connection to be configured, and what its form is made from.

        Raises:
            NotFound: the district has none by this grant, or its plugin does not run.
        """
        found = self._connections.standing(district_id, grant_id)
        return found, self._connections.connectable(found.provider)

    def whole(self, found: Connected) -> Mapping[str, object]:
        """As `ProviderConnections.whole`; it holds secrets."""
        return self._connections.whole(found)

    def reconfigure(self, district_id: DistrictId, grant_id: GrantId, config: Mapping[str, object], *, by: str) -> None:
        """As `ProviderConnections.reconfigure`."""
        self._connections.reconfigure(district_id, grant_id, config, by=by)

    def _offer(self, name: str, manifest: Manifest, why: WhyNot | None) -> Offer:
        shared = bool(manifest.tenant) and why is None and self._connections.application_of(name) is not None
        return Offer(
            name=name,
            title=manifest.title or name,
            uses=offered(manifest),
            why_not=why,
            shared=shared,
            provable=shared and manifest.names_administrators,
        )


def _why_not(plugin: Plugin, policy: Policy | None) -> WhyNot | None:
    if plugin.state is not PluginState.ENABLED:
        return WhyNot.BROKEN if plugin.state is PluginState.QUARANTINED else WhyNot.OFF
    if policy is None:
        return WhyNot.NO_CONTRACT
    if plugin.manifest is None or contract_lets(plugin.manifest, policy):
        return None
    return WhyNot.FOR_ADULTS if policy.providers is None else WhyNot.NOT_NAMED
