"""The rules of the chain: what a leaf and a link are hashes of, and what is wrong with a log that does not agree.

A chain alone does not see that its end was cut off, or that all of it was computed anew: a checkpoint that was kept
elsewhere does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

MOST_FAULTS = 100


class Fault(StrEnum):
    """What is wrong at one place."""

    CHANGED = "entry-changed"
    MISSING = "entry-missing"
    PASSED_BY = "entry-never-to-be-sealed"
    LINK = "link-changed"
    GAP = "links-missing"
    CUT = "end-missing"
    REWRITTEN = "not-the-checkpoint"


def leaf_hash(
    *,
    district: UUID,
    at: datetime,
    actor: str,
    act: str,
    decision: str,
    purpose: str,
    object_id: UUID | None,
    elements: Sequence[str],
    payload: bytes,
    population: str,
    interest: str,
) -> bytes:
    """Over every column of an entry but its number; over the ciphertext of what it says, so that no key is needed."""
    said: list[object] = [
        str(district), at.astimezone(UTC).isoformat(), actor, act, decision, purpose, str(object_id), list(elements),
    ]  # fmt: skip
    if population or interest:  # the entries from before these columns have neither
        said += [population, interest]
    return hashlib.sha256(json.dumps(said).encode() + payload).digest()


def genesis(district: UUID) -> bytes:
    """What the first link of a district's chain is bound to."""
    return hashlib.sha256(f"lti-server log 1|{district}".encode()).digest()


def link_hash(previous: bytes, *, district: UUID, position: int, entry: int, leaf: bytes, sealed_at: datetime) -> bytes:
    """Over the link before, the entry's leaf and number, and the link's own place and time."""
    said = json.dumps([str(district), position, entry, leaf.hex(), sealed_at.astimezone(UTC).isoformat()])
    return hashlib.sha256(previous + said.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as it stands in the table."""

    id: int
    columns: Mapping[str, object]
    leaf: bytes
    waits: bool = True
    """It is on the list of what is to be sealed; one that is neither there nor in the chain was put past it."""

    @property
    def whole(self) -> bool:
        """Whether it says what it said when it was written."""
        return leaf_hash(**self.columns) == self.leaf  # type: ignore[arg-type]  # one row, by its names


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as it stands in the table."""

    position: int
    entry_id: int
    sealed_at: datetime
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far a chain had come: `sealed` links, the last of which has this hash."""

    sealed: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One place where the log is not what it was; `entry` and `position` where they are known."""

    fault: Fault
    position: int | None
    entry: int | None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was found in one district's log. Faults beyond the first hundred are counted alone."""

    district: UUID
    head: Head
    entries: int = 0
    unsealed: int = 0
    faults: list[Bad] = field(default_factory=list)
    fault_count: int = 0

    @property
    def ok(self) -> bool:
        return self.fault_count == 0

    def add(self, fault: Fault, position: int | None, entry: int | None) -> None:
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Bad(fault=fault, position=position, entry=entry))


def verify(
    district: UUID, rows: Iterable[tuple[Link | None, Entry | None]], checkpoints: Sequence[Head] = ()
) -> Verdict:
    """Read a log from its first link to its last, then what is not sealed yet: `rows` come in that order."""
    verdict = Verdict(district=district, head=Head(sealed=0, hash=genesis(district)))
    wanted = {one.sealed: one.hash for one in checkpoints}
    for one in checkpoints:  # two checkpoints of one length must be the same, and nothing has another beginning
        if wanted[one.sealed] != one.hash or (one.sealed == 0 and one.hash != genesis(district)):
            verdict.add(Fault.REWRITTEN, one.sealed, None)
    for link, entry in rows:
        verdict.entries += entry is not None
        if entry is not None and not entry.whole:
            verdict.add(Fault.CHANGED, None if link is None else link.position, entry.id)
        if link is None:
            verdict.unsealed += 1
            if entry is not None and not entry.waits:
                verdict.add(Fault.PASSED_BY, None, entry.id)
            continue
        _follow(verdict, link, entry)
        if wanted.get(link.position, link.hash) != link.hash:
            verdict.add(Fault.REWRITTEN, link.position, link.entry_id)
    longest = max(wanted, default=0)
    if verdict.head.sealed < longest:
        verdict.add(Fault.CUT, verdict.head.sealed + 1, None)
    return verdict


def _follow(verdict: Verdict, link: Link, entry: Entry | None) -> None:
    """One link further; each is held to the one that stands before it, so that one fault is told once."""
    before = verdict.head
    if link.position != before.sealed + 1:
        verdict.add(Fault.GAP, before.sealed + 1, None)
    elif entry is None:
        verdict.add(Fault.MISSING, link.position, link.entry_id)
    else:
        right = link_hash(
            before.hash, district=verdict.district, position=link.position, entry=entry.id, leaf=entry.leaf,
            sealed_at=link.sealed_at,
        )  # fmt: skip
        if right != link.hash:
            verdict.add(Fault.LINK, link.position, link.entry_id)
    verdict.head = Head(sealed=link.position, hash=link.hash)
