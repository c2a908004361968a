"""What a restored backup must not bring back: erasures, blocks and revocations, in a file outside the database.

The file is `journal.jsonl` in DATA_DIR, one JSON object a line, only added to. A line is on the disk before the
transaction that it tells of commits: what was acknowledged is never missing, and what was rolled back after its line
was written is done once more at a restore. There are ids of ours and keyed hashes in it, and nothing about a person.
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


def _id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


def _hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _word(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9_-]{0,64}", value) is not None


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
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One line; `said` has the members of its kind."""

    kind: JournalKind
    district_id: DistrictId
    at: datetime
    said: Mapping[str, Any]


class Journal:
    """One file. Processes take turns at it; a line is whole or not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def within(cls, data_dir: Path) -> Journal:
        return cls(data_dir / FILE)

    def append(self, kind: JournalKind, *, district_id: DistrictId, at: datetime, **said: object) -> None:
        """Put a line on the disk before this returns. Call it last in the transaction that it tells of.

        Raises:
            ValueError: the members are not those of the kind, or hold what is no id, hash, word or number.
            OSError: the disk does not take it; let the transaction roll back.
        """
        _check(kind, said)
        own = {"kind": kind.value, "district": str(district_id), "at": at.astimezone(UTC).isoformat()}
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
            return JournalEntry(kind=kind, district_id=DistrictId(UUID(found["district"])), at=at, said=said)
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
