"""Signing in, joined once: connections of providers, the flow, and the sessions of people who signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from sqlalchemy.engine import Connection

from lti_server.accounts import waiting_tenants
from lti_server.accounts.adult_providers import lets_in
from lti_server.accounts.age_words import AgeWords
from lti_server.accounts.connecting import Connecting
from lti_server.accounts.connection_checks import ConnectionChecks
from lti_server.accounts.intake import ContractIntake
from lti_server.accounts.linking import Linking
from lti_server.accounts.live_sessions import LiveSessions
from lti_server.accounts.model import Kind
from lti_server.accounts.own_accounts import OwnAccounts
from lti_server.accounts.person_sessions import PersonSessions
from lti_server.accounts.provider_connections import ProviderConnections
from lti_server.accounts.proving import Proving
from lti_server.accounts.sign_in import SignIn
from lti_server.accounts.sign_in_states import SignInStates
from lti_server.accounts.tenant_claims import TenantClaims
from lti_server.accounts.tenant_lists import LOOK_EVERY, TASK, WatchTenants
from lti_server.accounts.trial_sign_ins import TrialSignIns
from lti_server.accounts.waiting_tenants import WaitingTenants
from lti_server.db import Database
from lti_server.ids import Clock
from lti_server.privacy import own_terms
from lti_server.privacy.contracts import Policies
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.inference import SuspendOnEvidence
from lti_server.privacy.journal import Journal
from lti_server.privacy.model import Origin
from lti_server.providers.connections import OutboundLimits
from lti_server.providers.connector import Connector
from lti_server.providers.manifest import Capability, Manifest
from lti_server.providers.registry import Registry
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.rights_parts import RightsParts
from lti_server.settings import Settings
from lti_server.tasks import Round

CHECK_LIMITS = OutboundLimits(connect_s=4, read_s=6, total_s=8)


class Grants(Protocol):
    """What watches over grants."""

    @property
    def suspect(self) -> SuspendOnEvidence: ...


class Parts(Protocol):
    """What the house has."""

    @property
    def settings(self) -> Settings: ...
    @property
    def database(self) -> Database: ...
    @property
    def ring(self) -> KeyRing: ...
    @property
    def doors(self) -> DoorKeys: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def connector(self) -> Connector: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def rights(self) -> RightsParts: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def clock(self) -> Clock: ...
    def entered(self, connection: Connection) -> District: ...


@dataclass(frozen=True)
class SignInHouse:
    """Built from what the house has."""

    of: Parts

    @cached_property
    def connections(self) -> ProviderConnections:
        of = self.of
        return ProviderConnections(
            database=of.database, ring=of.ring, doors=lambda: of.doors, district=of.entered, connector=of.connector,
            manifest=lambda name: of.registry.manifest(name), policies=of.policies, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def connecting(self) -> Connecting:
        of = self.of
        return Connecting(
            database=of.database, connections=self.connections, plugins=lambda: of.registry.all(),
            district=of.entered, policies=of.policies, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def checks(self) -> ConnectionChecks:
        """Somebody waits before the page, so each call is short, and nothing that is kept is taken for an answer."""
        of = self.of

        def connector() -> Connector:
            session = outbound_session(insecure_hosts=of.settings.insecure_hosts, limits=CHECK_LIMITS)
            return Connector(of.registry, transport=HttpTransport(session, of.clock).limited_to, clock=of.clock)

        return ConnectionChecks(
            database=of.database, district=of.entered, policies=of.policies, manifest=of.registry.manifest,
            connector=connector, base_url=of.settings.base_url, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def waiting(self) -> WaitingTenants:
        return WaitingTenants(self.of.database, self.of.clock)

    @cached_property
    def claims(self) -> TenantClaims:
        of = self.of
        return TenantClaims(
            database=of.database, connections=self.connections, connecting=self.connecting, waiting=self.waiting,
            district=of.entered, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def trials(self) -> TrialSignIns:
        of = self.of
        return TrialSignIns(ring=of.ring, connector=of.connector, base_url=of.settings.base_url, clock=of.clock)

    @cached_property
    def sessions(self) -> PersonSessions:
        return PersonSessions(self.of.database, self.of.clock)

    @cached_property
    def live_sessions(self) -> LiveSessions:
        return LiveSessions(database=self.of.database, district=self.of.entered, clock=self.of.clock)

    @cached_property
    def age_words(self) -> AgeWords:
        of = self.of
        return AgeWords(
            database=of.database, district=of.entered, policies=of.policies, journal=of.journal, clock=of.clock
        )

    @cached_property
    def own_accounts(self) -> OwnAccounts:
        of = self.of
        return OwnAccounts(
            database=of.database, connections=self.connections, district=of.entered,
            running=lambda: self._running(Capability.LOGIN),
        )  # fmt: skip

    def _intake(self, provider: str, origin: Origin) -> ContractIntake:
        return ContractIntake(provider, self.of.policies, self.of.clock, origin=origin)

    @cached_property
    def proving(self) -> Proving:
        of = self.of
        return Proving(
            states=SignInStates(of.ring, of.clock), connections=self.connections, connector=of.connector,
            unknown_tenant=self.waiting.seen, own=self.own_accounts.of, base_url=of.settings.base_url,
        )  # fmt: skip

    @cached_property
    def sign_in(self) -> SignIn:
        of = self.of
        return SignIn(
            database=of.database, proving=self.proving, connections=self.connections, district=of.entered,
            policies=of.policies, intake=self._intake,
            same_person=of.rights.shared_ids, kept_in=of.settings.country, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def watch_tenants(self) -> WatchTenants:
        of = self.of
        return WatchTenants(
            database=of.database, providers=lambda: self._running(Capability.TENANTS),
            application_of=self.connections.application_of, connector=of.connector, district=of.entered,
            inference=of.grants.suspect, clock=of.clock,
        )  # fmt: skip

    @property
    def rounds(self) -> Sequence[Round]:
        """What a worker does at its times."""
        return (
            Round(task=TASK, cron=LOOK_EVERY, work=lambda: self.watch_tenants()),
            Round(task=waiting_tenants.TASK, cron=waiting_tenants.FORGET_AT, work=lambda: self.waiting.forget()),
        )

    def _running(self, capability: Capability) -> Mapping[str, Manifest]:
        return {one.name: one.manifest for one in self.of.registry.enabled(capability) if one.manifest is not None}

    @cached_property
    def linking(self) -> Linking:
        of = self.of
        return Linking(
            database=of.database, district=of.entered, proving=self.proving, sign_in=self.sign_in,
            merge=of.rights.merge,
            intake=self._intake,
            manifest=self.connections.connectable, clock=of.clock,
        )  # fmt: skip

    def connectable(self, slug: str, kind: str, years: int | None) -> Mapping[str, str]:
        """The providers of which somebody so old of a district may connect an account: title by name."""
        running, years = self._running(Capability.LOGIN), years if own_terms.is_own(slug) else None
        found = self.ways(slug).items()
        return {name: title for name, title in found if lets_in(running[name], Kind(kind), years=years)}

    def title(self, provider: str) -> str:
        """What people call a provider; its name where it does not run."""
        found = self._running(Capability.LOGIN).get(provider)
        return (found.title if found else "") or provider

    def ways(self, slug: str) -> Mapping[str, str]:
        """The providers by which a district's people sign in: title by name."""
        running = self._running(Capability.LOGIN)
        return {
            name: (manifest.title or name)
            for name in self.connections.providers_of(slug)
            if (manifest := running.get(name)) is not None
        }
