"""The store gate: what may come to rest. Pure, and asked by whatever writes an element of a person.

The way to a table is element, days and grant: a `Leave` says the first two, and is made here alone; the grant goes with
the row, and the database lets the row in only while that grant stands at that epoch (`grant_must_stand`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_server.errors import ContractForbids
from lti_server.privacy import schedule
from lti_server.privacy.collect import Collected
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind

_GATE = object()


class Leave:
    """That one element may be kept, for so many days, under one policy. Of educators no schedule sets days."""

    __slots__ = ("days", "element", "policy_hash")

    element: str
    days: int | None
    policy_hash: str

    def __init__(self, token: object, element: str, days: int | None, policy_hash: str) -> None:
        if token is not _GATE:
            raise TypeError("Only the store gate makes this: call lti_server.privacy.store_gate.leave.")
        put = object.__setattr__
        put(self, "element", element)
        put(self, "days", days)
        put(self, "policy_hash", policy_hash)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("What the store gate decided does not change. Ask it again.")

    def __repr__(self) -> str:
        return f"<Leave to keep {self.element}>"


def leave(policy: Policy | None, element: str, *, purpose: Purpose, origin: Origin) -> Leave | None:
    """Leave to keep an element of a pupil; None where the contract does not store it, or says no days."""
    if policy is None or not policy.keeps(element, purpose, origin):
        return None
    days = policy.retain_days.get(element)
    if type(days) is not int or days < 1:
        return None
    return Leave(_GATE, element, days, policy.policy_hash)


def leaves(
    policy: Policy | None, kind: SubjectKind, collected: Collected, *, purpose: Purpose, origin: Origin
) -> Mapping[str, Leave]:
    """Leave for each field that passed the collect gate under this very policy; nothing else can be given one."""
    if policy is None or collected.policy_hash != policy.policy_hash:
        return MappingProxyType({})
    found: dict[str, Leave] = {}
    for name in collected.kept:
        if kind is SubjectKind.EDUCATOR:
            element = schedule.EDUCATOR_FIELDS.get(name, "")
            if element in policy.educator_elements:
                found[name] = Leave(_GATE, f"educator.{element}", None, policy.policy_hash)
            continue
        given = leave(policy, schedule.PUPIL_FIELDS.get(name, ""), purpose=purpose, origin=origin)
        if given is not None:
            found[name] = given
    return MappingProxyType(found)


def must_cover(given: object, element: str) -> Leave:
    """The leave that a write shows.

    Raises:
        ContractForbids: there is none, or it is for another element.
    """
    if not isinstance(given, Leave) or given.element != element:
        raise ContractForbids(f"The contract does not let {element} be kept.")
    return given
