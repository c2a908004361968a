"""What watches over grants, joined once: the fence, withdrawal with every participant, and giving tokens back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from sqlalchemy.engine import Connection

from lti_server.accounts import kept_tokens
from lti_server.accounts.adoption import Adopt
from lti_server.accounts.corrections import Restrictions
from lti_server.accounts.provider_connections import ProviderConnections
from lti_server.accounts.withdrawal import SignIns
from lti_server.db import Database
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.lti.readdressing import Readdressing
from lti_server.lti.signal_source import PlatformReceivers
from lti_server.lti.tokens import Service
from lti_server.lti.withdrawal import Platforms
from lti_server.mail import Mail
from lti_server.privacy import revocation, upstream
from lti_server.privacy.contract_population import Populations
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.disclose import Disclose
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.fence import Fence
from lti_server.privacy.grant_states import WITHDRAWN, GrantState
from lti_server.privacy.grant_view import GrantView
from lti_server.privacy.inference import SuspendOnEvidence
from lti_server.privacy.journal import Journal
from lti_server.privacy.model import Policy
from lti_server.privacy.revocation import Withdraw
from lti_server.privacy.upstream import GiveBack
from lti_server.privacy.withdrawn_again import WithdrawAgain
from lti_server.progress.withdrawal import Frozen, Grades
from lti_server.providers.connector import Connector
from lti_server.providers.manifest import Capability
from lti_server.providers.registry import Registry
from lti_server.providers.spi import GrantRevoker
from lti_server.providers.transport import HttpTransport
from lti_server.roster.withdrawal import Rosters
from lti_server.tasks import Handler, Queue

DISPOSITION = "disposition_days"


@dataclass(frozen=True)
class GrantParts:
    """Built by the house from what it has."""

    database: Database
    entered: Callable[[Connection], District]
    policies: Policies
    transport: HttpTransport
    connector: Connector
    doors: Callable[[], DoorKeys]
    registry: Callable[[], Registry]
    tasks: Queue
    clock: Clock
    mail: Callable[[], Mail]
    journal: Callable[[], Journal]
    base_url: str
    ring: KeyRing

    @cached_property
    def connections(self) -> ProviderConnections:
        """Their configurations, for the plugins that take a token back."""
        return ProviderConnections(
            database=self.database, ring=self.ring, doors=self.doors, district=self.entered, connector=self.connector,
            manifest=lambda name: self.registry().manifest(name), policies=self.policies, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def disclose(self) -> Disclose:
        """The one way out for what tells of people."""
        return Disclose(self.database, self.policies, self.clock, Restrictions())

    @cached_property
    def fence(self) -> Fence:
        return Fence(self.database)

    def to_platform(self, service: Service) -> HttpTransport:
        """The way to a platform's services: each call within the fence of its grant."""
        return self.fence.around(self.transport, service.district_id, service.grant_id, service.epoch)

    @cached_property
    def withdraw(self) -> Withdraw:
        """Every feature that keeps something by grants takes part: a new one is named here."""
        return Withdraw(
            database=self.database,
            district=self.entered,
            participants=(SignIns(), Platforms(), Rosters(), Grades()),
            upstream=self.give_back,
            dispose_by=self._dispose_by,
            resumed=Frozen(self.tasks).resume,
            journal=self.journal,
            queue=self.tasks,
            clock=self.clock,
        )

    @cached_property
    def again(self) -> WithdrawAgain:
        """For a restored backup."""
        return WithdrawAgain(self.database, self.withdraw)

    @cached_property
    def readdressed(self) -> Readdressing:
        """For platforms that come from other addresses."""
        return Readdressing(self.database, self.again, self.journal(), self.clock)

    def withdraw_platform(self, connection: Connection, grant_id: GrantId, by: str) -> None:
        """On the transaction that takes a platform away."""
        self.withdraw.begin_on(connection, grant_id, by=by, reason="The LMS was removed from this server.")

    @cached_property
    def give_back(self) -> GiveBack:
        return GiveBack(
            database=self.database,
            district=self.entered,
            revoker_of=self._revoker_of,
            queue=self.tasks,
            clock=self.clock,
        )

    @cached_property
    def adopt(self) -> Adopt:
        """A new grant takes over who came by a revoked one."""
        return Adopt(self.database, self.entered, self.clock)

    @cached_property
    def suspect(self) -> SuspendOnEvidence:
        """For what is only inferred: it freezes, and tells the district."""
        return SuspendOnEvidence(
            database=self.database, district=self.entered, withdraw=self.withdraw, mail=self.mail,
            base_url=self.base_url, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def receivers(self) -> PlatformReceivers:
        return PlatformReceivers(self.registry)

    def signal_addresses(self, grant: GrantView) -> list[str]:
        """Where the other side of a grant may say by itself that it ends, by each plugin that understands it."""
        if GrantState(grant.state) in WITHDRAWN:
            return []
        own = [one.name for one in self.registry().enabled(Capability.SIGNALS) if one.name == grant.provider]
        names = self.receivers.names() if grant.provider == "lti" else own
        return [f"{self.base_url}/signals/{name}?grant={grant.id}" for name in names]

    def handlers(self) -> dict[str, Handler]:
        """What the worker runs, by task name."""
        return {revocation.TASK: self.withdraw.run_job, upstream.TASK: self.give_back.run_job}

    def resume(self, connection: Connection, district_id: DistrictId) -> None:
        """Go on with what a crash has left, in each district."""
        self.withdraw.resume_all(connection, district_id)
        self.give_back.wipe_overdue(connection, district_id)
        kept_tokens.wipe_expired(connection, self.clock.now())

    @cached_property
    def populations(self) -> Populations:
        """What the contract in force lets connections reach."""
        return Populations(lambda: self.withdraw.narrow_to_contract_on)

    def follow(self, connection: Connection, district: District) -> None:
        """Before a class list is read, so that no first day of a contract waits for the worker."""
        policy = self._policy(connection)
        if policy is not None:
            self.populations(connection, district, policy, by="contract")

    def population(self, connection: Connection, provider: str) -> str:
        """Which pupils the contract in force lets a provider tell of: `none` without one, else by which lists."""
        policy = self._policy(connection)
        if policy is None or not policy.allows_provider(provider):
            return "none"
        named = policy.population(provider)
        return "all" if named is None else "+".join(sorted(named.plain()))

    def _revoker_of(self, district: District, grant_id: GrantId, provider: str) -> GrantRevoker:
        """Configured as the connection is now; of one that is withdrawn nothing is left to configure it with."""
        with self.database.tenant(district.id) as connection:
            connected = self.connections.of_grant(connection, grant_id)
        return self.connector.revoker(provider, {} if connected is None else connected.config)

    def _dispose_by(self, connection: Connection, district: District, ended: date) -> date | None:
        """The day that the contract in force sets for what a grant leaves behind."""
        policy = self._policy(connection)
        limit = None if policy is None else policy.limits.get(DISPOSITION)
        return None if limit is None else ended + timedelta(days=limit.value)

    def _policy(self, connection: Connection) -> Policy | None:
        contract_id = in_force(connection, self.entered(connection).zone, self.clock.now())
        return None if contract_id is None else self.policies.of(connection, contract_id)
