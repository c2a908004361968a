"""Signing in with a provider (design 4, walk 2): from a verified identity to a person, and a session of theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import ages, kept_tokens
from lti_server.accounts import store as people
from lti_server.accounts.adult_providers import contract_lets, lets_in
from lti_server.accounts.intake import Intake
from lti_server.accounts.model import Kept, Kind, Known, Subject
from lti_server.accounts.person_sessions import Opened, open_session, provider_session_hash
from lti_server.accounts.person_signals import held
from lti_server.accounts.provider_connections import Connected, ProviderConnections
from lti_server.accounts.shared_id import SamePerson
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.sign_in_states import IssuedSignIn, SignInState, SignInStates
from lti_server.db import Database
from lti_server.errors import (
    InvalidInput,
    NotFound,
    ProviderFailed,
    ProviderLimitsUs,
    ProviderRejectedUs,
)
from lti_server.ids import Clock, ContractId, DistrictId, PersonId
from lti_server.privacy import log
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.model import Purpose
from lti_server.providers.connector import Connector
from lti_server.providers.faults import server_errors
from lti_server.providers.manifest import Capability
from lti_server.providers.records import PersonRole, SourceIdentity
from lti_server.providers.spi import AuthorizeRequest, Callback

LONGEST_KEY = 255
MOST_KEYS = 3 + 8  # issuer, client and subject, and a few former ids
STAFF = frozenset({PersonRole.TEACHER, PersonRole.STAFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where to send the browser, and what binds the sign-in to it."""

    address: str
    issued: IssuedSignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody is in. `blocked`: nothing may be collected of them, so there is no session, and lessons stay open."""

    opened: Opened | None
    blocked: bool = False


class SignIn:
    """The use cases of `/auth/<provider>/…`. A provider is called outside any transaction."""

    def __init__(
        self,
        *,
        database: Database,
        states: SignInStates,
        connections: ProviderConnections,
        connector: Connector,
        district: Callable[[Connection], District],
        policies: Policies,
        intake: Callable[[str], Intake],
        same_person: SamePerson,
        unknown_tenant: Callable[[str, str], None],
        base_url: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._states = states
        self._connections = connections
        self._connector = connector
        self._district = district
        self._policies = policies
        self._intake = intake
        self._same_person = same_person
        self._unknown_tenant = unknown_tenant
        self._base_url = base_url
        self._clock = clock

    def begin(self, provider: str, *, slug: str = "", locale: str = "", link: DistrictId | None = None) -> Begun:
        """Send somebody to a provider: by their district's connection, or by the operator's application.

        `link`: in whose district somebody is signed in who links the account (accounts/linking.py); nobody is let in.

        Raises:
            NotFound: no such plugin runs.
            SignInRefused: `not-connected`; nobody here signs in with this provider like that.
            ProviderFailed: the provider does not say where to go.
        """
        self._connections.connectable(provider)
        found = self._connections.of_district(slug, provider)[:1] if slug else []
        config = found[0].config if found else (None if slug else self._connections.application_of(provider))
        if config is None:
            raise refused("not-connected")
        issued = self._states.issue(provider, found[0].id if found else None, link)
        login = self._connector.login(provider, config)
        with server_errors(provider):
            address = login.authorize(
                AuthorizeRequest(
                    redirect_uri=self._redirect_uri(provider), state=issued.text, nonce=issued.state.nonce,
                    code_verifier=issued.state.code_verifier, tenant=(found[0].tenant or "") if found else "",
                    locale=locale,
                )
            )  # fmt: skip
        return Begun(address=address, issued=issued)

    def state(self, provider: str, params: Mapping[str, str], cookies: Mapping[str, str]) -> SignInState:
        """The sign-in that a callback ends; the browser's own.

        Raises:
            SignInRefused: as `SignInStates.read`.
        """
        return self._states.read(provider, params.get("state", ""), cookies)

    def finish(self, state: SignInState, params: Mapping[str, str], *, locale: str = "") -> SignedIn:
        """Exchange the code, and let in whoever it is, by the connection of their tenant.

        Reads and keeps of a person what the contract allows, encrypted; counts the rest. Of the provider's tokens one
        is kept, to be given back (kept_tokens.py).

        Raises:
            SignInRefused: with a reason of docs/reference/sign-in-refusals.md.
        """
        connected, identity = self.proven(state, params)
        return self._admit(connected, identity, locale)

    def proven(self, state: SignInState, params: Mapping[str, str]) -> tuple[Connected, SourceIdentity]:
        """Who somebody is at the provider, and by which connection. Nothing is kept, and nobody is let in.

        Raises:
            SignInRefused: as `finish`.
        """
        identity = self._exchange(state, params)
        return self._of(state, identity), identity

    def _exchange(self, state: SignInState, params: Mapping[str, str]) -> SourceIdentity:
        config = self._config(state)
        login = self._connector.login(state.provider, config)
        callback = Callback(
            redirect_uri=self._redirect_uri(state.provider), params=params, nonce=state.nonce,
            code_verifier=state.code_verifier,
        )  # fmt: skip
        try:
            with server_errors(state.provider):
                found = login.exchange(callback)
        except ProviderRejectedUs as error:
            raise refused("declined") from error
        except ProviderLimitsUs as error:
            raise refused("busy") from error
        except (ProviderFailed, InvalidInput) as error:
            raise refused("provider-failed", internal=error.detail) from error
        whose = isinstance(found, SourceIdentity)
        keys = (found.issuer, found.client_id, found.subject, *found.person.legacy_ids) if whose else ()
        if not keys or not all(map(_is_key, keys)) or len(keys) > MOST_KEYS:
            raise refused("provider-failed")
        return found

    def _config(self, state: SignInState) -> Mapping[str, object]:
        begun = self._begun(state)
        if begun is not None:
            return begun.config
        config = self._connections.application_of(state.provider)
        if config is None:
            raise refused("withdrawn")
        return config

    def _of(self, state: SignInState, identity: SourceIdentity) -> Connected:
        """The connection of the identity's tenant: what a browser asked for before decides nothing (ADR 13).

        What a district's own application says of tenants counts in that district alone.
        """
        begun = self._begun(state)
        if begun is not None and begun.own_application and identity.tenant == (begun.tenant or ""):
            return begun
        if identity.tenant:
            try:
                found = self._connections.of_tenant(state.provider, identity.tenant)
            except NotFound as error:
                if begun is None or not begun.own_application:
                    self._unknown_tenant(state.provider, identity.tenant)
                raise refused("tenant-not-connected") from error
            if begun is not None and begun.own_application and found.district_id != begun.district_id:
                raise refused("tenant-not-connected")
            return found
        if begun is not None and begun.tenant is None:
            return begun
        raise refused("no-tenant")

    def _begun(self, state: SignInState) -> Connected | None:
        """The connection by which a sign-in began; none by the operator's application."""
        if state.connection_id is None:
            return None
        try:
            return self._connections.one(state.connection_id)
        except NotFound as error:
            raise refused("withdrawn") from error

    def _admit(self, connected: Connected, identity: SourceIdentity, locale: str) -> SignedIn:
        now = self._clock.now()
        with self._database.tenant(connected.district_id) as connection:
            district = self._district(connection)
            arrival = Arrival(connected=connected, identity=identity, district=district, now=now)
            epoch, contract_id = self.stands(connection, arrival)
            known, former = self.known(connection, arrival)
            self.reached(connection, connected, contract_id, known)
            intake = self._intake(connected.provider)
            if intake.blocked(connection, district.keys, arrival.told()):
                log.record(connection, _entry(arrival, None, {"blocked": True}))
                return SignedIn(opened=None, blocked=True)
            if not lets_in(self._connections.connectable(connected.provider), None if known is None else known.kind):
                raise refused("adults-only")
            # Who was known as a pupil stays under the stricter schedule, whatever a claim says today.
            kind = arrival.kind if known is None else known.kind
            is_child = self._judge(connection, arrival, known)
            kept = intake(connection, contract_id, connected.district_id, kind, arrival.said, is_child)
            source = people.Source(grant_id=connected.grant_id, epoch=epoch, run_id=None, at=now)
            child = is_child(kept.age)
            known = self._written(connection, arrival, known, kind, kept, source, former=former, child=child)
            opened = open_session(
                connection, district_id=connected.district_id, person_id=known.person_id,
                identity_id=known.identity_id, grant_id=connected.grant_id, epoch=epoch, kind=kind, locale=locale,
                now=now, at_provider=arrival.session_hash,
            )  # fmt: skip
            self._keep_token(connection, arrival, known)
            said = {"policy": kept.policy_hash, "refused": dict(kept.refused)}
            log.record(connection, _entry(arrival, known.person_id, said, kept.elements))
        return SignedIn(opened=opened)

    def _written(
        self,
        connection: Connection,
        arrival: Arrival,
        known: Known | None,
        kind: Kind,
        kept: Kept,
        source: people.Source,
        *,
        former: bool,
        child: bool,
    ) -> Known:
        """The person as they are here now."""
        keys, subject, keeps = arrival.district.keys, arrival.subject, kept.keep_subject
        if known is None:
            known = people.create(connection, keys, subject, kind=kind, source=source, keep_subject=keeps)
        self._may_come_in(connection, known)
        if former:
            known = people.add_identity(connection, keys, known, subject, source=source, keep_subject=keeps)
        changed, gone = people.changed_fields(keys, known, source.grant_id, kept.fields)
        people.write_fields(connection, keys, known, source, changed, gone)
        if (whose := ages.whose_of(keys, known)) is not None:
            ages.settle(connection, whose, kept.age, source, arrival.today, child=child)
        return self._same_person(connection, known, source.grant_id, [one.name for one in changed])

    def _judge(self, connection: Connection, arrival: Arrival, known: Known | None) -> ages.Judge:
        whose = ages.whose_of(arrival.district.keys, known)
        return ages.judge(connection, whose, arrival.connected.grant_id, arrival.today)

    def known(self, connection: Connection, arrival: Arrival) -> tuple[Known | None, bool]:
        """Who it is; True: by a former id that the provider vouches for, under which alone they are known here."""
        keys, grant_id = arrival.district.keys, arrival.connected.grant_id
        hashes = [people.subject_hash(keys, one) for one in (arrival.subject, *arrival.former)]
        for one in sorted(hashes):  # in one order, so that no two sign-ins wait for each other
            people.lock_subject(connection, one)
        found = people.find(connection, hashes, grant_id)
        first = next((found[one] for one in hashes if one in found), None)
        return first, first is not None and hashes[0] not in found

    def _keep_token(self, connection: Connection, arrival: Arrival, known: Known) -> None:
        """Where it can be given back (docs/adr/0014)."""
        if Capability.REVOKE in self._connections.connectable(arrival.connected.provider).capabilities:
            kept_tokens.keep(connection, arrival.district.keys, known, arrival.identity.tokens, arrival.now)

    def _may_come_in(self, connection: Connection, known: Known) -> None:
        """Read under the lock of the subject, which a signal of the provider waits for (person_signals.py)."""
        if known.wrapped_key is None:
            raise refused("erased")
        if held(connection, known.identity_id):
            raise refused("held")

    def stands(self, connection: Connection, arrival: Arrival) -> tuple[int, ContractId]:
        """The grant's epoch and the contract in force, read at the moment of use (law 3)."""
        epoch = connection.execute(_STANDING, {"grant": arrival.connected.grant_id}).scalar_one_or_none()
        if epoch is None:
            raise refused("withdrawn")
        contract_id = in_force(connection, arrival.district.zone, arrival.now)
        if contract_id is None:
            raise refused("no-contract")
        provider = self._connections.connectable(arrival.connected.provider)
        if not contract_lets(provider, self._policies.of(connection, contract_id)):
            raise refused("provider-not-allowed")
        return int(epoch), contract_id

    def reached(
        self, connection: Connection, connected: Connected, contract_id: ContractId, known: Known | None
    ) -> None:
        """Whoever is in no class that the contract names for this provider stays outside, as who is in none."""
        named = self._policies.of(connection, contract_id).population(connected.provider)
        values = {"named": None if named is None else json.dumps(named.plain()), "provider": connected.provider}
        if named is not None and (
            known is None or connection.execute(_WITHIN, {**values, "person": known.person_id}).scalar_one() is not True
        ):
            raise refused("outside-population")

    def _redirect_uri(self, provider: str) -> str:
        return f"{self._base_url}/auth/{provider}/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who comes by which connection, before anything is written."""

    connected: Connected
    identity: SourceIdentity
    district: District
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(self.district.zone).date()

    @property
    def subject(self) -> Subject:
        return self._subject(self.identity.subject)

    @property
    def former(self) -> tuple[Subject, ...]:
        """By which else the provider knows the same person; its own word, and within the same issuer and client."""
        return tuple(map(self._subject, self.identity.person.legacy_ids))

    def told(self) -> dict[str, tuple[bytes, Mapping[str, object]]]:
        """For blocks, which hold under a former id, too."""
        keys = self.district.keys
        every = (self.subject, *self.former)
        return {str(number): (people.subject_hash(keys, one), self.said) for number, one in enumerate(every)}

    def _subject(self, subject: str) -> Subject:
        who = self.identity
        return Subject(provider=self.connected.provider, issuer=who.issuer, client_id=who.client_id, subject=subject)

    @property
    def session_hash(self) -> bytes | None:
        """What the provider calls this sign-in, keyed; none where it has no name, or one that nobody could ask for."""
        who, keys = self.identity, self.district.keys
        called = who.provider_session_id
        return provider_session_hash(keys, who.issuer, who.client_id, called) if _is_key(called) else None

    @property
    def kind(self) -> Kind:
        return Kind.STAFF if self.identity.person.role in STAFF else Kind.PUPIL

    @property
    def said(self) -> dict[str, object]:
        """What the provider tells, by the names of the schedule; the subject is `sub`, a former one is not kept."""
        return {**self.identity.person.without({"legacy_ids"}).present(), "sub": self.identity.subject}


def _is_key(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= LONGEST_KEY and "\x00" not in text and not _HALF.search(text)


def _entry(
    arrival: Arrival, person_id: PersonId | None, payload: Mapping[str, object], elements: Sequence[str] = ()
) -> dict[str, object]:
    return log.entry(
        arrival.district.keys, at=arrival.now,
        actor=f"grant:{arrival.connected.grant_id}" if person_id is None else f"person:{person_id}",
        act="sign in", decision="allowed", purpose=Purpose.INSTRUCTION.value, object_id=person_id, elements=elements,
        population="" if person_id is None else "person",
        interest=log.Interest.NONE if person_id is None else log.Interest.SERVICE,
        payload={"provider": arrival.connected.provider, **payload},
    )  # fmt: skip


_HALF = re.compile("[\ud800-\udfff]")
_STANDING = sa.text("SELECT epoch FROM grants WHERE id = :grant AND state = 'active' AND 'signin' = ANY (uses)")
# The contract at the moment of use, whatever the database was last held to.
_WITHIN = sa.text("SELECT population_has_person(CAST(:named AS jsonb), :provider, :person)")
