"""Signing in with a provider (design 4, walk 2): from a verified identity to a person, and a session of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import ages, kept_tokens, last_use
from lti_server.accounts import store as people
from lti_server.accounts.adult_providers import contract_lets, lets_in
from lti_server.accounts.arrivals import Arrival
from lti_server.accounts.connected import Connected
from lti_server.accounts.intake import Intake
from lti_server.accounts.model import Kept, Kind, Known
from lti_server.accounts.newcomers import CHOSEN, Answers, Newcomer, agreed_to, registers
from lti_server.accounts.person_sessions import Opened, open_session
from lti_server.accounts.person_signals import held
from lti_server.accounts.provider_connections import ProviderConnections
from lti_server.accounts.proving import Proving
from lti_server.accounts.shared_id import SamePerson
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.sign_in_states import SignInState
from lti_server.db import Database
from lti_server.ids import Clock, ContractId, PersonId
from lti_server.privacy import log
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin, Purpose
from lti_server.providers.manifest import Capability
from lti_server.providers.records import SourceIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody is in. `blocked`: nothing may be collected of them, so there is no session, and lessons stay open."""

    opened: Opened | None
    blocked: bool = False


class SignIn:
    """Lets in who has proven who they are."""

    def __init__(
        self,
        *,
        database: Database,
        proving: Proving,
        connections: ProviderConnections,
        district: Callable[[Connection], District],
        policies: Policies,
        intake: Callable[[str, Origin], Intake],
        same_person: SamePerson,
        kept_in: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._proving = proving
        self._connections = connections
        self._district = district
        self._policies = policies
        self._intake = intake
        self._same_person = same_person
        self._kept_in = kept_in
        self._clock = clock

    def finish(
        self, state: SignInState, params: Mapping[str, str], *, locale: str = "", answers: Answers | None = None
    ) -> SignedIn:
        """Exchange the code, and let in whoever it is, by the connection of their tenant.

        `answers`: of whoever registers, in a tenant of people who do so themselves; nobody else is made there.

        Reads and keeps of a person what the contract allows, encrypted; counts the rest. Of the provider's tokens one
        is kept, to be given back (kept_tokens.py).

        Raises:
            SignInRefused: with a reason of docs/reference/sign-in-refusals.md.
        """
        connected, identity = self._proving.proven(state, params)
        return self._admit(connected, identity, locale, answers if state.registers else None)

    def _admit(self, connected: Connected, identity: SourceIdentity, locale: str, answers: Answers | None) -> SignedIn:
        now = self._clock.now()
        with self._database.tenant(connected.district_id) as connection:
            district = self._district(connection)
            arrival = Arrival(connected=connected, identity=identity, district=district, now=now)
            epoch, contract_id = self.stands(connection, arrival)
            known, former = self.known(connection, arrival)
            self.reached(connection, connected, contract_id, known)
            intake = self._intake(connected.provider, arrival.origin)
            if intake.blocked(connection, district.keys, arrival.told()):
                log.record(connection, _entry(arrival, None, {"blocked": True}))
                return SignedIn(opened=None, blocked=True)
            newcomer = None
            if arrival.own and known is None:
                newcomer = registers(
                    connection, arrival, self._policies.of(connection, contract_id), answers, kept_in=self._kept_in
                )
            # Who was known as a pupil stays under the stricter schedule, whatever a claim says today.
            kind = arrival.kind if known is None else known.kind
            judge = self._judge(connection, arrival, known, newcomer)
            kept = intake(connection, contract_id, connected.district_id, kind, arrival.said, judge)
            self._is_for(arrival, known, judge.years(kept.age))
            source = people.Source(grant_id=connected.grant_id, epoch=epoch, run_id=None, at=now)
            child = judge(kept.age)
            known = self._written(connection, arrival, known, kind, kept, source, former=former, child=child)
            if newcomer is not None:
                newcomer.write(connection, district.keys, known, source, child=child)
            opened = open_session(
                connection, district_id=connected.district_id, person_id=known.person_id,
                identity_id=known.identity_id, grant_id=connected.grant_id, epoch=epoch, kind=kind, locale=locale,
                now=now, at_provider=arrival.session_hash,
            )  # fmt: skip
            last_use.note(connection, district, known.identity_id, now)
            self._keep_token(connection, arrival, known)
            said = {"policy": kept.policy_hash, "refused": dict(kept.refused), **agreed_to(newcomer)}
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
        if arrival.own:
            gone = [one for one in gone if one != CHOSEN]
        people.write_fields(connection, keys, known, source, changed, gone)
        if (whose := ages.whose_of(keys, known)) is not None:
            ages.settle(connection, whose, kept.age, source, arrival.today, child=child)
        return self._same_person(connection, known, source.grant_id, [one.name for one in changed])

    def _is_for(self, arrival: Arrival, known: Known | None, years: int | None) -> None:
        """Whether the provider is for somebody so old; nothing is written yet."""
        provider, known_as = self._connections.connectable(arrival.connected.provider), known.kind if known else None
        if not lets_in(provider, known_as, years=years if arrival.own else None):
            raise refused("not-adult" if arrival.own else "adults-only")

    def _judge(
        self, connection: Connection, arrival: Arrival, known: Known | None, newcomer: Newcomer | None
    ) -> ages.Judge:
        whose = ages.whose_of(arrival.district.keys, known)
        own = None if newcomer is None else newcomer.age
        return ages.judge(connection, whose, arrival.connected.grant_id, arrival.today, own=own)

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


_STANDING = sa.text("SELECT epoch FROM grants WHERE id = :grant AND state = 'active' AND 'signin' = ANY (uses)")
# The contract at the moment of use, whatever the database was last held to.
_WITHIN = sa.text("SELECT population_has_person(CAST(:named AS jsonb), :provider, :person)")
