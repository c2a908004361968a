"""What may be kept of a person: the collect gate's answer, as fields that accounts can write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from sqlalchemy.engine import Connection

from lti_server.accounts import blocks
from lti_server.accounts.ages import IsChild
from lti_server.accounts.model import FieldValue, Kept, Kind
from lti_server.ids import Clock, ContractId, DistrictId
from lti_server.privacy import schedule
from lti_server.privacy.ages import Age, age_from, earliest_day
from lti_server.privacy.collect import HashOnly, collect
from lti_server.privacy.contracts import Policies
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.model import Origin, Purpose, SubjectKind
from lti_server.privacy.store_gate import Leave, leaves


def unknown_is_child(age: Age | None) -> bool:
    """The judge of somebody of whom nothing is known here: strict, whatever a source says for the first time."""
    return True


class Intake(Protocol):
    """The collect gate with a district's contract in hand."""

    def __call__(
        self,
        connection: Connection,
        contract_id: ContractId,
        district_id: DistrictId,
        kind: Kind,
        said: Mapping[str, object],
        is_child: IsChild = unknown_is_child,
    ) -> Kept:
        """Decide what may be kept, before anything is written (law 2). A birth date becomes years, and is gone."""
        ...

    def blocked(
        self, connection: Connection, keys: DistrictKeys, told: Mapping[str, tuple[bytes, Mapping[str, object]]]
    ) -> set[str]:
        """Who of those that a source tells of, each with the hash of their identity, may not be taken in at all."""
        ...


# What of a person is kept as a field; an id is kept with the identity instead.
_IDS = frozenset({"sub", "user_id"})
_FINDABLE = frozenset({"email", "local_id"})
# LTI spells the district's own id in two ways; here it has one name, whichever door it came by.
_NAMES = {
    "lis.person_sourcedid": "local_id",
    "lis_person_sourcedid": "local_id",
    "sis_id": "local_id",
    "full_name": "name",
    "preferred_name": "nickname",
}


class ContractIntake:
    """The collect gate over the policy of a contract, for one provider.

    `origin`: whether a school's system says it, or somebody's own account.
    """

    def __init__(self, provider: str, policies: Policies, clock: Clock, *, origin: Origin = Origin.SCHOOL) -> None:
        self._provider = provider
        self._origin = origin
        self._policies = policies
        self._clock = clock

    def __call__(
        self,
        connection: Connection,
        contract_id: ContractId,
        district_id: DistrictId,
        kind: Kind,
        said: Mapping[str, object],
        is_child: IsChild = unknown_is_child,
    ) -> Kept:
        """Decide what may be kept for instruction of what was said."""
        policy = self._policies.of(connection, contract_id)
        age = None
        if kind is Kind.PUPIL and policy.allows_provider(self._provider) and self._origin in policy.age_from:
            age, said = _aged(said, earliest_day(self._clock.now()))
        subject = SubjectKind.EDUCATOR if kind is Kind.STAFF else SubjectKind.PUPIL
        left, said = _named_by_themselves(said) if self._origin is Origin.STUDENT else ({}, said)
        collected = collect(
            policy,
            subject,
            provider=self._provider,
            purpose=Purpose.INSTRUCTION,
            origin=self._origin,
            fields=said,
            child=is_child(age),
        )
        given = leaves(policy, subject, collected, purpose=Purpose.INSTRUCTION, origin=self._origin)
        return Kept(
            fields=tuple(
                _field(name, value, given[name])
                for name, value in collected.kept.items()
                if name not in _IDS and name in given
            ),
            keep_subject=any(name in given for name in _IDS),
            refused={**collected.refused, **left},
            elements=tuple(sorted(collected.elements | ({schedule.BIRTH_DATE} if age else set()))),
            policy_hash=collected.policy_hash,
            age=age,
        )

    def blocked(
        self, connection: Connection, keys: DistrictKeys, told: Mapping[str, tuple[bytes, Mapping[str, object]]]
    ) -> set[str]:
        """One statement, however many a source tells of."""
        hashes = {name: blocks.candidates(keys, said, identity) for name, (identity, said) in told.items()}
        found = blocks.blocked(connection, self._provider, {one for mine in hashes.values() for one in mine})
        return {name for name, mine in hashes.items() if not found.isdisjoint(mine)}


def _aged(said: Mapping[str, object], today: date) -> tuple[Age | None, dict[str, object]]:
    """The age that a birth date says, and what else is said. One that is no birth date stays, to be refused."""
    found = {name: age for name in schedule.BIRTH_FIELDS & said.keys() if (age := age_from(said[name], today))}
    youngest = min(found.values(), key=lambda one: one.years, default=None)
    return youngest, {name: value for name, value in said.items() if name not in found}


def _named_by_themselves(said: Mapping[str, object]) -> tuple[Mapping[str, int], Mapping[str, object]]:
    """How often each name was left out, and what else is said: the name that somebody has chosen is enough (A-04)."""
    names = {one for one in said if schedule.PUPIL_FIELDS.get(one) == schedule.NAME}
    return dict.fromkeys(names, 1), {name: value for name, value in said.items() if name not in names}


def _field(name: str, value: str | HashOnly, leave: Leave) -> FieldValue:
    here = _NAMES.get(name, name)
    findable = here in _FINDABLE
    if isinstance(value, HashOnly):
        return FieldValue(name=here, value=value.value, leave=leave, hash_only=True, findable=findable)
    return FieldValue(name=here, value=value, leave=leave, findable=findable)
