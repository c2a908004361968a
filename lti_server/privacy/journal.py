"""What a restored backup must not bring back: whatever narrowed since, in a file outside the database.

The file is `journal.jsonl` in DATA_DIR, one JSON object a line, only added to. A line that narrows is on the disk
before the transaction that it tells of commits: what was acknowledged is never missing, and what was rolled back after
its line was written is done once more at a restore. A line that lifts something (`LIFTS`) comes after the commit: where
a crash loses it, the narrower stands. There are ids of ours and keyed hashes in it, and nothing about a person.
Where several machines run commands or serve, each has a file of its own, or DATA_DIR lies on a disk that they share.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from lti_server.errors import ConfigurationError
from lti_server.ids import DistrictId

FILE = "journal.jsonl"
OWN_MEMBERS = ("kind", "district", "at")


class JournalKind(StrEnum):
    """What happened, and what its entry says beyond district and time."""

    ERASURE = "erasure"
    """`person`: whose key was destroyed."""
    BLOCK = "block"
    """`block`: its id; `provider`: of which alone, empty for every; `hashes`: of the ids that are refused."""
    UNBLOCK = "unblock"
    """`block`: the id of the block that was lifted."""
    REVOCATION = "revocation"
    """`grant`, `epoch`: as of which epoch it is withdrawn; `uses`: what was taken from it."""
    NARROWING = "narrowing"
    """`grant`, `epoch`; `sections`: those that it reaches from then on."""
    SUSPENSION = "suspension"
    """`grant`: that is frozen."""
    RESUMPTION = "resumption"
    """`grant`: that goes on."""
    RESTRICTION = "restriction"
    """`person`, `recipients`: the class of recipients to whom nothing of the person goes."""
    UNRESTRICTION = "unrestriction"
    """`person`, `recipients`: of a restriction that was lifted."""
    CORRECTION = "correction"
    """`person`, `field`: what was put right. The value is not here, so a restore holds the field back."""
    UNCORRECTION = "uncorrection"
    """`person`, `field`: what the sources say again."""
    CONSENT_WITHDRAWAL = "consent_withdrawal"
    """`person`, `purpose`: the new use that somebody does not agree to any more."""
    NOTICE = "notice"
    """`acts_on`, `material`, `purposes`: a version of the privacy notice. It is every district's."""
    ANSWER = "answer"
    """`case`: a request of a guardian, or of somebody signed in, that was answered, so that its text went."""
    CONTRACT = "contract"
    """`contract`: its id; `version`; `policy`: the hash of its policy; `begins`: its first day. No text."""
    READDRESSING = "readdressing"
    """`grant`, `addresses`: a hash of those that its platform has from then on."""
    UNMERGE = "unmerge"
    """`merge`: its line in the ledger; two people who had been merged are two again."""
    DESK_CLOSED = "desk_closed"
    """`country`: where nobody new registers themself from then on."""
    WAY_ENDED = "way_ended"
    """`identity`: a way in of somebody that leads here no more."""
    WAY_HELD = "way_held"
    """`identity`: whose provider has the account disabled, so that it lets nobody in."""
    WAY_FREED = "way_freed"
    """`identity`: that lets its person in again."""
    AGE_STATEMENT = "age_statement"
    """`school`: a keyed hash of the school of which a district has said something of ages. No years."""
    DISPOSITION = "disposition"
    """`disposition`: its id; `grant`: of which alone, empty for the district; `due`, `days`, `returned`."""


LIFTS: Mapping[JournalKind, JournalKind] = MappingProxyType(
    {
        JournalKind.UNBLOCK: JournalKind.BLOCK,
        JournalKind.RESUMPTION: JournalKind.SUSPENSION,
        JournalKind.UNRESTRICTION: JournalKind.RESTRICTION,
        JournalKind.UNCORRECTION: JournalKind.CORRECTION,
        JournalKind.WAY_FREED: JournalKind.WAY_HELD,
    }
)
"""What takes back what, and from where a later line counts alone."""


def _id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


def _hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _word(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9_-]{0,64}", value) is not None


def _said(value: object) -> bool:
    return _word(value) and value != ""


def _id_or_none(value: object) -> bool:
    return value == "" or _id(value)


def _day(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(value: object) -> bool:
    return type(value) is int and value >= 0


def _all(one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(one(item) for item in value)


# A name or an e-mail fits none of these, so that none gets in by mistake.
MEMBERS: Mapping[JournalKind, Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {
        JournalKind.ERASURE: {"person": _id},
        JournalKind.BLOCK: {"block": _id, "provider": _word, "hashes": _all(_hash)},
        JournalKind.UNBLOCK: {"block": _id},
        JournalKind.REVOCATION: {"grant": _id, "epoch": _number, "uses": _all(_word)},
        JournalKind.NARROWING: {"grant": _id, "epoch": _number, "sections": _all(_id)},
        JournalKind.SUSPENSION: {"grant": _id},
        JournalKind.RESUMPTION: {"grant": _id},
        JournalKind.RESTRICTION: {"person": _id, "recipients": _said},
        JournalKind.UNRESTRICTION: {"person": _id, "recipients": _said},
        JournalKind.CORRECTION: {"person": _id, "field": _said},
        JournalKind.UNCORRECTION: {"person": _id, "field": _said},
        JournalKind.CONSENT_WITHDRAWAL: {"person": _id, "purpose": _said},
        JournalKind.NOTICE: {"acts_on": _day, "material": _flag, "purposes": _all(_said)},
        JournalKind.ANSWER: {"case": _id},
        JournalKind.READDRESSING: {"grant": _id, "addresses": _hash},
        JournalKind.CONTRACT: {"contract": _id, "version": _number, "policy": _hash, "begins": _day},
        JournalKind.UNMERGE: {"merge": _id},
        JournalKind.DESK_CLOSED: {"country": _said},
        JournalKind.WAY_ENDED: {"identity": _id},
        JournalKind.WAY_HELD: {"identity": _id},
        JournalKind.WAY_FREED: {"identity": _id},
        JournalKind.AGE_STATEMENT: {"school": _hash},
        JournalKind.DISPOSITION: {
            "disposition": _id,
            "grant": _id_or_none,
            "due": _day,
            "days": _number,
            "returned": _flag,
        },
    }
)


_NAMED: Mapping[JournalKind, tuple[str, ...]] = MappingProxyType(
    {JournalKind.BLOCK: ("block",), JournalKind.READDRESSING: ("grant",)}
)
LAST_COUNTS = frozenset({*LIFTS, *LIFTS.values(), JournalKind.READDRESSING})
"""Kinds of which the last line about one subject counts alone."""
OF_EVERY_DISTRICT = frozenset({JournalKind.NOTICE})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One line; `said` has the members of its kind."""

    kind: JournalKind
    district_id: DistrictId | None
    at: datetime
    said: Mapping[str, Any]

    @property
    def subject(self) -> tuple[str, ...]:
        """What it is of: of the lines of one subject that take each other back, the last one counts."""
        about = LIFTS.get(self.kind, self.kind)
        named = _NAMED.get(about, tuple(MEMBERS[about]))
        return (about.value, str(self.district_id), *(str(self.said[name]) for name in named))


class Journal:
    """One file. Processes take turns at it; a line is whole or not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def within(cls, data_dir: Path) -> Journal:
        return cls(data_dir / FILE)

    def append(self, kind: JournalKind, *, district_id: DistrictId | None, at: datetime, **said: object) -> None:
        """Put a line on the disk before this returns. Call it last in the transaction that it tells of; for what
        lifts something (`LIFTS`), after its commit. Without a district it is of every one.

        Raises:
            ValueError: the members are not those of the kind, or hold what is no id, hash, word or number.
            OSError: the disk does not take it; let the transaction roll back.
        """
        _check(kind, said)
        own = {
            "kind": kind.value,
            "district": str(district_id) if district_id else "",
            "at": at.astimezone(UTC).isoformat(),
        }
        line = json.dumps({**own, **said}, separators=(",", ":")).encode() + b"\n"
        with self._locked() as file:
            os.ftruncate(file, _whole(file))
            os.lseek(file, 0, os.SEEK_END)
            written = 0
            while written < len(line):
                written += os.write(file, line[written:])
            os.fsync(file)

    def entries(self) -> list[JournalEntry]:
        """Every line, oldest first. One that was cut by a crash was never acknowledged, and is none.

        Raises:
            ConfigurationError: a whole line is not as this program writes it; nothing may be restored by it.
        """
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return []
        lines = text[: text.rfind(b"\n") + 1].splitlines()
        return [self._read(number, line) for number, line in enumerate(lines, 1)]

    def _read(self, number: int, line: bytes) -> JournalEntry:
        try:
            found = json.loads(line)
            kind = JournalKind(found["kind"])
            said = {name: value for name, value in found.items() if name not in OWN_MEMBERS}
            _check(kind, said)
            at = datetime.fromisoformat(found["at"])
            district_id = DistrictId(UUID(found["district"])) if found["district"] else None
            if (district_id is None) != (kind in OF_EVERY_DISTRICT) or at.tzinfo is None:
                raise ValueError("a line of nobody's")
            return JournalEntry(kind=kind, district_id=district_id, at=at, said=said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                [f"Line {number} of {self._path} is not what this program wrote. Bring the file back from a copy."]
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if new:
                _keep_name(self._path.parent)
            yield file
        finally:
            os.close(file)


def _check(kind: JournalKind, said: Mapping[str, object]) -> None:
    members = MEMBERS[kind]
    if said.keys() != members.keys() or not all(fits(said[name]) for name, fits in members.items()):
        raise ValueError(f"an entry of the kind {kind} has the members {', '.join(members)}, and no words about people")


def _whole(file: int) -> int:
    """Where the last whole line ends: a crash may have left a part of one."""
    end = os.lseek(file, 0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        os.lseek(file, start, os.SEEK_SET)
        at = os.read(file, end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _keep_name(folder: Path) -> None:
    """The file's name is in its folder, and that must reach the disk as well."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
