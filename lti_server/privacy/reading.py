"""The purpose of a read: without one, or for another than the contract has, nothing of a person is read (99.33(a)(2)).

Pure. A `Reading` is made here alone, and every function that opens personal data asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from lti_server.errors import ContractForbids, NoContract
from lti_server.privacy import schedule
from lti_server.privacy.model import Origin, Policy, Purpose

_GATE = object()
OWN_DATA = "own_data"


@dataclass(frozen=True, slots=True)
class NewUse:
    """Since when an element may be used for a purpose, and who has agreed that older values are used for it, too."""

    since: Mapping[str, datetime]
    consented: frozenset[object] = frozenset()


NO_NEW_USE = NewUse(MappingProxyType({}))


class Reading:
    """What may be read now: elements of pupils and of educators, for one purpose, under one policy."""

    __slots__ = ("_educators", "_elements", "_new_use", "policy_hash", "purpose")

    _educators: frozenset[str]
    _elements: frozenset[str]
    _new_use: NewUse
    policy_hash: str
    purpose: str

    def __init__(
        self,
        token: object,
        purpose: str,
        elements: frozenset[str],
        educators: frozenset[str],
        policy_hash: str,
        new_use: NewUse,
    ) -> None:
        if token is not _GATE:
            raise TypeError("Only lti_server.privacy.reading makes this: say what is read for.")
        put = object.__setattr__
        put(self, "purpose", purpose)
        put(self, "_elements", elements)
        put(self, "_educators", educators)
        put(self, "policy_hash", policy_hash)
        put(self, "_new_use", new_use)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("What a read is for does not change. Ask again.")

    def allows(self, element: str) -> bool:
        """Whether an element of a pupil may be read."""
        return element in self._elements

    def allows_field(self, kind: str, field: str) -> bool:
        """Whether a field at rest may be read, of a `pupil` or of `staff`."""
        if kind == "staff":
            return schedule.element_of_educator(field) in self._educators
        return schedule.element_at_rest(field) in self._elements

    def allows_stored(self, kind: str, person: object, field: str, collected_at: datetime) -> bool:
        """Whether a value at rest may be read: its field is for this purpose, and was when it was collected."""
        return self.allows_field(kind, field) and self.allows_value(person, field, collected_at)

    def allows_value(self, person: object, field: str, collected_at: datetime) -> bool:
        """Whether a value that was collected then may be used so: a new use of old data wants consent (A-57)."""
        since = self._new_use.since.get(schedule.element_at_rest(field) or "")
        return since is None or collected_at >= since or person in self._new_use.consented


def for_purpose(policy: Policy | None, purpose: object, new_use: NewUse = NO_NEW_USE) -> Reading:
    """What the contract lets be read for a purpose.

    Raises:
        NoContract: there is none in force. ContractForbids: it has no such purpose, or none was said.
    """
    if policy is None:
        raise NoContract("The district has no contract in force, so nothing of anybody may be read.")
    if not isinstance(purpose, Purpose) or purpose not in policy.purposes:
        raise ContractForbids("The district's contract does not let personal data be read for this purpose.")
    elements: frozenset[str] = frozenset()
    for origin in Origin:
        elements |= policy.kept.get((purpose, origin), frozenset())
    return Reading(_GATE, purpose.value, elements, policy.educator_elements, policy.policy_hash, new_use)


def of_own_data() -> Reading:
    """Whatever is kept, for the person, or who speaks for them (34 CFR 99.10): no contract stands between."""
    return Reading(_GATE, OWN_DATA, schedule.ELEMENTS, schedule.EDUCATOR_ELEMENTS, "", NO_NEW_USE)


def must_allow(reading: object, element: str) -> None:
    """Raises `ContractForbids` where a read shows no purpose, or one that this element is not for."""
    if not isinstance(reading, Reading) or not reading.allows(element):
        raise ContractForbids(f"The district's contract does not let {element} be read for this purpose.")
