"""The collect gate: what may come in. Pure, and asked before anything is written (law 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lti_server.privacy import schedule
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind

LONGEST_VALUE = 10_000
MOST_REFUSED_NAMES = 50
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_HALF = re.compile("[\ud800-\udfff]")
_GATE = object()


@dataclass(frozen=True, slots=True)
class HashOnly:
    """A value that may be kept as a keyed hash and in no other form: an under-13 or unknown-age e-mail (A-08)."""

    value: str

    def __repr__(self) -> str:
        return "HashOnly(…)"


class Collected:
    """What passed the gate: `kept` by field name, `refused` as counts by name. Made by the gate alone, and final."""

    __slots__ = ("elements", "kept", "policy_hash", "refused")

    kept: Mapping[str, str | HashOnly]
    refused: Mapping[str, int]
    elements: frozenset[str]
    policy_hash: str

    def __init__(
        self,
        token: object,
        kept: Mapping[str, str | HashOnly],
        refused: Mapping[str, int],
        elements: frozenset[str],
        policy_hash: str,
    ) -> None:
        if token is not _GATE:
            raise TypeError("Only the collect gate makes this: call lti_server.privacy.collect.collect.")
        put = object.__setattr__
        put(self, "kept", MappingProxyType(dict(kept)))
        put(self, "refused", MappingProxyType(dict(refused)))
        put(self, "elements", elements)
        put(self, "policy_hash", policy_hash)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("What the collect gate decided does not change. Ask it again.")

    def __repr__(self) -> str:
        return f"<Collected {sorted(self.kept)}, refused {dict(self.refused)}>"


def collect(
    policy: Policy | None,
    kind: SubjectKind,
    *,
    provider: str,
    purpose: Purpose,
    origin: Origin,
    fields: Mapping[str, object],
    child: bool = True,
) -> Collected:
    """Keep what the policy allows of these fields; drop and count the rest.

    No policy refuses everything. Reads personal values; keeps text of at most 10,000 characters, trimmed, without NUL.
    A birth date is never kept (A-06; years are taken where an age is asked for), nor a picture (A-17), nor a pupil's
    phone (A-15). Of a `child`, which an unknown age is, an e-mail address comes out as `HashOnly` (A-08).
    """
    kept: dict[str, str | HashOnly] = {}
    refused: dict[str, int] = {}
    elements: set[str] = set()
    for name, value in fields.items():
        element = _element(policy, kind, provider, purpose, origin, name)
        text = _text(value)
        if element is None or text is None:
            _count(refused, name)
        elif text:
            kept[name] = HashOnly(text) if child and kind is SubjectKind.PUPIL and element == schedule.EMAIL else text
            elements.add(element)
    return Collected(_GATE, kept, refused, frozenset(elements), policy.policy_hash if policy else "")


def _element(
    policy: Policy | None, kind: SubjectKind, provider: str, purpose: Purpose, origin: Origin, name: str
) -> str | None:
    """The element by which a field may be kept, or None."""
    if policy is None or not policy.allows_provider(provider):
        return None
    if kind is SubjectKind.EDUCATOR:
        element = schedule.EDUCATOR_FIELDS.get(name)
        return element if element in policy.educator_elements else None
    element = schedule.PUPIL_FIELDS.get(name)
    if element is None or element in schedule.NEVER_KEPT or not policy.keeps(element, purpose, origin):
        return None
    return element


def _text(value: object) -> str | None:
    """The text of a value; None for another type, one too long, or half a surrogate pair (JSON can carry that).

    Empty text is nothing, neither kept nor refused.
    """
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or _HALF.search(value):
        return None
    return value.replace("\x00", "").strip()


def _count(refused: dict[str, int], name: str) -> None:
    """Names are the sender's: odd or too many ones are counted together."""
    known = name if _NAME.fullmatch(name) and (name in refused or len(refused) < MOST_REFUSED_NAMES) else "other"
    refused[known] = refused.get(known, 0) + 1
