"""Testing a connection: what its provider is asked, what it answers, and what of its people the contract would keep.

Nothing is written but the log's line of it. Of people, one page is read into memory at most, and counted.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.engine import Connection

from lti_server.accounts.adult_providers import contract_lets
from lti_server.db import Database
from lti_server.errors import LtiServerError
from lti_server.ids import Clock, DistrictId
from lti_server.privacy import log
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin, Policy, Purpose
from lti_server.providers.connector import Connector
from lti_server.providers.errors import RefusedCode, Unavailable
from lti_server.providers.faults import server_errors
from lti_server.providers.manifest import Capability, Manifest
from lti_server.providers.preview import Decide, Preview, preview
from lti_server.providers.records import RosterPage, SourcePerson
from lti_server.providers.spi import AuthorizeRequest, Callback

Config = Mapping[str, object]
PATIENCE_S = 20.0


class Asked(StrEnum):
    """What of a provider is asked, in this order."""

    WHERE = "where"
    CLIENT = "client"
    TENANTS = "tenants"
    ROSTER = "roster"


class Outcome(StrEnum):
    """`NOT_ASKED`: there was nothing to ask, so nothing is known. `NOT_LISTED`: it has not let this server in."""

    GOOD = "good"
    BAD = "bad"
    NOT_ASKED = "not-asked"
    NOT_LISTED = "not-listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question. `said`: what went wrong, in words without anything about a person."""

    asked: Asked
    outcome: Outcome
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The answers; `roster` is none where the provider has no class lists, or gave none."""

    steps: Sequence[Step]
    roster: Preview | None = None

    @property
    def good(self) -> bool:
        return all(one.outcome in (Outcome.GOOD, Outcome.NOT_ASKED) for one in self.steps)


class ConnectionChecks:
    """Asks a provider, outside any transaction and within `PATIENCE_S` and one call more."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        policies: Policies,
        manifest: Callable[[str], Manifest],
        connector: Callable[[], Connector],
        base_url: str,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._district = district
        self._policies = policies
        self._manifest = manifest
        self._connector = connector
        self._base_url = base_url
        self._clock = clock
        self._elapsed = elapsed

    def check(self, district_id: DistrictId, provider: str, config: Config, *, tenant: str, by: str) -> Checked:
        """Ask whatever can be asked without a sign-in; after the first answer that is bad, no more.

        Raises:
            InvalidInput: the configuration does not fit.
        """
        manifest, decide = self._manifest(provider), self._begun(district_id, provider, by)
        patience = _Patience(self._elapsed)
        asking = _Asking(
            provider=provider, config=config, tenant=tenant, manifest=manifest, decide=decide, patience=patience,
            connector=self._connector().within(patience.around), redirect_uri=self._redirect_uri(provider),
        )  # fmt: skip
        steps: list[Step] = []
        for step in asking.steps():
            steps.append(step)
            if step.outcome is Outcome.BAD:
                break
        return Checked(steps=steps, roster=asking.roster)

    def of_person(self, district_id: DistrictId, provider: str, person: SourcePerson, *, by: str) -> Preview:
        """What of somebody's claims would be kept under the contract, and what refused; names of fields alone."""
        manifest, decide = self._manifest(provider), self._begun(district_id, provider, by)
        return preview(provider, manifest, _OnePerson(person), decide)

    def _begun(self, district_id: DistrictId, provider: str, by: str) -> Decide:
        """Note it before anything personal is read (law 12); what the contract in force lets through."""
        with self._database.tenant(district_id) as connection:
            district, now = self._district(connection), self._clock.now()
            entry = log.entry(
                district.keys, at=now, actor=by, act="provider check", decision="allowed", purpose="operation",
                interest=log.Interest.OPERATION, payload={"provider": provider},
            )  # fmt: skip
            log.record(connection, entry)
            contract_id = in_force(connection, district.zone, now)
            policy = None if contract_id is None else self._policies.of(connection, contract_id)
        return decided_by(policy, self._manifest(provider))

    def _redirect_uri(self, provider: str) -> str:
        return f"{self._base_url}/auth/{provider}/callback"


def decided_by(policy: Policy | None, manifest: Manifest) -> Decide:
    """What a contract allows from its school through this provider; without one, nothing."""

    def decide(element: str) -> bool:
        if policy is None or not contract_lets(manifest, policy):
            return False
        if element.startswith("educator."):
            return element.removeprefix("educator.") in policy.educator_elements
        return policy.keeps(element, Purpose.INSTRUCTION, Origin.SCHOOL)

    return decide


class _Patience:
    """How long a check may take, and how often it has called somebody."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed, self._until = elapsed, elapsed() + PATIENCE_S
        self.calls = 0

    @contextmanager
    def around(self) -> Iterator[None]:
        if self._elapsed() > self._until:
            raise Unavailable("The provider took longer than a test waits. Test again later.")
        self.calls += 1
        yield


@dataclass(slots=True, kw_only=True)
class _Asking:
    """One test under way."""

    provider: str
    config: Config
    tenant: str
    manifest: Manifest
    decide: Decide
    patience: _Patience
    connector: Connector
    redirect_uri: str
    roster: Preview | None = None

    def steps(self) -> Iterator[Step]:
        asks = {Asked.WHERE: self._where, Asked.CLIENT: self._client, Asked.TENANTS: self._tenants}
        can = self.manifest.capabilities
        for asked, ask in asks.items():
            if (Capability.TENANTS if asked is Asked.TENANTS else Capability.LOGIN) in can:
                yield self._step(asked, ask)
        if Capability.ROSTER in can:
            yield self._step(Asked.ROSTER, self._first_page)

    def _step(self, asked: Asked, ask: Callable[[], Outcome]) -> Step:
        before = self.patience.calls
        try:
            with server_errors(self.provider):
                found = ask()
        except LtiServerError as error:
            if self.patience.calls == before and asked is Asked.TENANTS:
                return Step(asked=asked, outcome=Outcome.NOT_ASKED)  # this application has no key to the list
            return Step(asked=asked, outcome=Outcome.BAD, said=_said(error))
        return Step(asked=asked, outcome=Outcome.NOT_ASKED if self.patience.calls == before else found)

    def _where(self) -> Outcome:
        login = self.connector.login(self.provider, self.config)
        login.authorize(
            AuthorizeRequest(
                redirect_uri=self.redirect_uri, state="a-test", nonce="a-test",
                code_verifier=secrets.token_urlsafe(32), tenant=self.tenant,
            )
        )  # fmt: skip
        return Outcome.GOOD

    def _client(self) -> Outcome:
        """A code that nobody was given: whoever knows this server refuses the code, and not the server."""
        callback = Callback(
            redirect_uri=self.redirect_uri, params={"code": secrets.token_urlsafe(24)}, nonce="a-test",
            code_verifier=secrets.token_urlsafe(32),
        )  # fmt: skip
        login = self.connector.login(self.provider, self.config)
        try:
            login.exchange(callback)
        except RefusedCode:
            return Outcome.GOOD
        return Outcome.BAD

    def _tenants(self) -> Outcome:
        listing = self.connector.tenants(self.provider, self.config)
        listed = listing.tenants()
        return Outcome.NOT_LISTED if self.tenant and self.tenant not in listed else Outcome.GOOD

    def _first_page(self) -> Outcome:
        source = self.connector.roster(self.provider, self.config)
        self.roster = preview(self.provider, self.manifest, source, self.decide)
        return Outcome.GOOD


@dataclass(frozen=True)
class _OnePerson:
    """A class list of somebody who signed in."""

    person: SourcePerson

    def pages(self, since: object) -> Iterator[RosterPage]:
        yield RosterPage(cursor=None, complete=True, people=(self.person,))


def _said(error: LtiServerError) -> str:
    """Every fault of a configuration, or what happened."""
    faults = error.public.get("errors")
    return " ".join(str(one["message"]) for one in faults) if isinstance(faults, list) else error.detail
