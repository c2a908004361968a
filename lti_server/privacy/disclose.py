"""The disclose gate: what may leave, to whom and what for. `Disclosed[T]` is made here alone (law 3).

Each disclosure is an entry of the log in the transaction that decides it; a refusal is one in a transaction of its own,
so that it stays though the caller's is rolled back (law 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import ContractForbids
from lti_server.ids import Clock
from lti_server.privacy import log, schedule
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.log import Interest
from lti_server.privacy.model import Origin, Policy, Purpose, Recipients

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
_GATE = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to leave. `party` is an id of ours, `population` as the log says it, `provider` empty where none
    carries it."""

    act: str
    party: str
    recipients: Recipients
    interest: Interest
    purpose: Purpose
    elements: frozenset[str]
    population: str
    provider: str
    person_id: UUID | None = None
    payload: Mapping[str, object] = field(default_factory=dict)


class Disclosed(Generic[T_co]):
    """Something that may leave, and the policy under which it may. Made by the gate alone, and final."""

    __slots__ = ("policy_hash", "purpose", "value")

    value: T_co
    purpose: Purpose
    policy_hash: str

    def __init__(self, token: object, value: T_co, purpose: Purpose, policy_hash: str) -> None:
        if token is not _GATE:
            raise TypeError("Only the disclose gate makes this: call lti_server.privacy.disclose.Disclose.")
        put = object.__setattr__
        put(self, "value", value)
        put(self, "purpose", purpose)
        put(self, "policy_hash", policy_hash)

    def __init_subclass__(cls) -> None:
        raise TypeError("Nothing else is disclosed than what the gate lets out.")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("What the disclose gate decided does not change. Ask it again.")

    def __repr__(self) -> str:
        return f"<Disclosed for {self.purpose}>"


class Restrictions(Protocol):
    """What people have restricted of the disclosures of their data, by class of recipient."""

    def forbid(self, connection: Connection, person_id: UUID, recipients: Recipients) -> bool:
        """Whether nothing of this person may go to such recipients, in the entered district."""
        ...


class NoRestrictions:
    """Where nobody can restrict anything."""

    def forbid(self, connection: Connection, person_id: UUID, recipients: Recipients) -> bool:
        return False


def refusal(policy: Policy | None, asked: Asked) -> str | None:
    """Why this may not leave, as a word; None where it may. Pure."""
    if policy is None:
        return "no-contract"
    if asked.purpose not in policy.purposes:
        return "purpose"
    if asked.provider and not policy.allows_provider(asked.provider):
        return "provider"
    if asked.recipients is Recipients.GRADEBOOK and not policy.gradebook(asked.provider):
        return "gradebook"
    if not asked.elements or not asked.elements <= schedule.ELEMENTS:
        return "element"
    for element in asked.elements:
        if not any(policy.keeps(element, asked.purpose, origin) for origin in Origin):
            return "element"
    return None


class Disclose:
    """The gate, with the contract in force at the moment of asking."""

    def __init__(
        self, database: Database, policies: Policies, clock: Clock, restrictions: Restrictions | None = None
    ) -> None:
        self._database = database
        self._policies = policies
        self._clock = clock
        self._restrictions = restrictions or NoRestrictions()

    def __call__(self, connection: Connection, district: District, asked: Asked, value: T) -> Disclosed[T]:
        """Let something out, with its entry in the log, on the caller's transaction in the entered district.

        Raises:
            ContractForbids: it may not leave; that is logged already.
        """
        policy = self._decided(connection, district, asked)
        log.record(connection, self._entry(district, asked, "allowed", policy.policy_hash, ""))
        return Disclosed(_GATE, value, asked.purpose, policy.policy_hash)

    def check(self, connection: Connection, district: District, asked: Asked) -> None:
        """Whether something may leave, before anything is done towards it. Raises as a disclosure does."""
        self._decided(connection, district, asked)

    def _decided(self, connection: Connection, district: District, asked: Asked) -> Policy:
        contract_id = in_force(connection, district.zone, self._clock.now())
        policy = None if contract_id is None else self._policies.of(connection, contract_id)
        reason = refusal(policy, asked)
        who = asked.person_id
        if reason is None and who is not None and self._restrictions.forbid(connection, who, asked.recipients):
            reason = "restricted"
        if policy is not None and reason is None:
            return policy
        with self._database.tenant(district.id) as own:
            hashed = "" if policy is None else policy.policy_hash
            log.record(own, self._entry(district, asked, "refused", hashed, reason or ""))
        raise ContractForbids("The district's contract does not let this leave.", internal=reason or "")

    def _entry(
        self, district: District, asked: Asked, decision: log.Decision, policy_hash: str, reason: str
    ) -> dict[str, object]:
        said: dict[str, object] = {**asked.payload, "to": asked.recipients.value, "policy": policy_hash}
        if reason:
            said["reason"] = reason
        return log.entry(
            district.keys, at=self._clock.now(), actor=asked.party, act=asked.act, decision=decision,
            purpose=asked.purpose.value, object_id=asked.person_id, elements=sorted(asked.elements),
            population=asked.population, interest=asked.interest, payload=said,
        )  # fmt: skip


__all__ = ["Asked", "Disclose", "Disclosed", "NoRestrictions", "Recipients", "Restrictions", "refusal"]
