"""People who may be one, shown to an administrator with a reason: hints, of which none links anybody (design law 6).

What hints is an equal student number of the district, an equal name, and, of staff, an equal e-mail. A pupil's e-mail
hints to nobody, for nobody is to learn that there is one (A-10). Whoever is shown reads that in their log, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.merging import Merge, Merged, Preview, Way, Why
from lti_server.accounts.staff_access import Access, names_like, names_of
from lti_server.db import Database
from lti_server.errors import NotFound
from lti_server.ids import Clock, DistrictId, PersonId
from lti_server.privacy import log, schedule
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.districts import District

MOST = 50
People = dict[PersonId, tuple[str, str, PersonKey]]


class Hint(StrEnum):
    """Why two may be one. The order is that of how much it says."""

    NUMBER = "number"
    EMAIL = "email"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """One of two, by the name that staff sees."""

    id: PersonId
    kind: str
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Two who may be one."""

    one: Somebody
    other: Somebody
    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What merging two would do."""

    into: Somebody
    gone: Somebody
    preview: Preview


class Candidates:
    """Shows who may be one, and lets an administrator decide. Every use wants a live access (staff_access.py)."""

    def __init__(
        self, *, database: Database, district: Callable[[Connection], District], merge: Merge, clock: Clock
    ) -> None:
        self._database = database
        self._district = district
        self._merge = merge
        self._clock = clock

    def every(self, district_id: DistrictId, access: Access) -> tuple[list[Candidate], list[Merged]]:
        """Pairs with an equal number, or an equal e-mail of staff; and the merges that there were, newest first."""
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            pairs: dict[tuple[PersonId, PersonId], list[Hint]] = {}
            for row in connection.execute(_PAIRS, {"most": MOST}):
                hint = Hint.NUMBER if row.field == "local_id" else Hint.EMAIL
                pairs.setdefault((PersonId(row.one), PersonId(row.other)), []).append(hint)
            found = self._shown(connection, keys, access, {one for pair in pairs for one in pair})
            merges = self._merge.every(connection)
        return [_candidate(found, one, other, hints) for (one, other), hints in pairs.items()], merges

    def of(self, district_id: DistrictId, person_id: PersonId, access: Access) -> list[Candidate]:
        """Who may be this person: by an equal number, e-mail of staff, or whole name.

        Raises:
            NotFound: there is no such person.
        """
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            mine = _must(names_of(connection, keys, [person_id]), person_id)
            hints: dict[PersonId, list[Hint]] = {}
            for row in connection.execute(_OF, {"person": person_id, "most": MOST}):
                hints.setdefault(PersonId(row.id), []).append(Hint.NUMBER if row.field == "local_id" else Hint.EMAIL)
            for one in _same_name(connection, keys, person_id, mine[1], mine[0]):
                hints.setdefault(one, []).append(Hint.NAME)
            found = self._shown(connection, keys, access, {person_id, *hints})
        return [_candidate(found, person_id, other, told) for other, told in hints.items()]

    def compare(self, district_id: DistrictId, into: PersonId, gone: PersonId, access: Access) -> Compared:
        """What merging would do; nothing is changed.

        Raises:
            NotFound, Conflict: as `Merge.merge`.
        """
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            preview = self._merge.preview(connection, into, gone)
            found = self._shown(connection, keys, access, (into, gone))
        return Compared(into=_somebody(found, into), gone=_somebody(found, gone), preview=preview)

    def merge(self, district_id: DistrictId, into: PersonId, gone: PersonId, access: Access) -> None:
        """Let both be one, with the reason of the access, which both read.

        Raises:
            NotFound, Conflict: as `Merge.merge`.
        """
        with self._database.tenant(district_id) as connection:
            self._merge.merge(connection, into, gone, _why(access, "person merge"))

    def undo(self, district_id: DistrictId, merge_id: UUID, access: Access) -> None:
        """Let them be two again.

        Raises:
            NotFound, Conflict: as `Merge.undo`.
        """
        self._merge.undo(district_id, merge_id, _why(access, "person unmerge"))

    def _shown(self, connection: Connection, keys: DistrictKeys, access: Access, people: Iterable[PersonId]) -> People:
        """By the names that staff sees, each with an entry in their log."""
        found = names_of(connection, keys, sorted(people))
        asked = access.asked("person found")
        for person_id, (_, _, key) in found.items():
            entry = log.entry(
                keys, at=self._clock.now(), actor=asked.by, act="person found", decision="allowed",
                purpose="operation", object_id=person_id, elements=(schedule.NAME,), population="person",
                interest=asked.interest, payload=asked.details,
                words=log.Words(person_id=person_id, text=asked.reason, key=key),
            )  # fmt: skip
            log.record(connection, entry)
        return found


def _same_name(connection: Connection, keys: DistrictKeys, person_id: PersonId, name: str, kind: str) -> list[PersonId]:
    if not name.strip():
        return []
    found = names_like(connection, keys, name)
    return [
        one
        for one, (its_kind, its_name, _) in found.items()
        if one != person_id and its_kind == kind and its_name.casefold() == name.casefold()
    ]


def _why(access: Access, act: str) -> Why:
    asked = access.asked(act)
    return Why(by=asked.by, way=Way.ADMINISTRATOR, reason=asked.reason, interest=asked.interest, details=asked.details)


def _candidate(found: People, one: PersonId, other: PersonId, hints: Sequence[Hint]) -> Candidate:
    return Candidate(one=_somebody(found, one), other=_somebody(found, other), hints=tuple(dict.fromkeys(hints)))


def _somebody(found: People, person_id: PersonId) -> Somebody:
    kind, name, _ = _must(found, person_id)
    return Somebody(id=person_id, kind=kind, name=name)


def _must(found: People, person_id: PersonId) -> tuple[str, str, PersonKey]:
    if person_id not in found:
        raise NotFound("There is no person with this id.")
    return found[person_id]


_STANDS = "p.wrapped_key IS NOT NULL AND p.merged_into IS NULL"
_HINTS = "(f.field = 'local_id' OR (f.field = 'email' AND p.kind = 'staff')) AND f.lookup IS NOT NULL"
_PAIRS = sa.text(
    "SELECT DISTINCT f.field, f.person_id AS one, o.person_id AS other FROM person_field f"  # noqa: S608 (words of ours)
    " JOIN person_field o ON o.field = f.field AND o.lookup = f.lookup AND o.person_id > f.person_id"
    " JOIN person p ON p.id = f.person_id JOIN person q ON q.id = o.person_id AND q.kind = p.kind"
    f" WHERE {_HINTS} AND {_STANDS} AND q.wrapped_key IS NOT NULL AND q.merged_into IS NULL"
    " ORDER BY 1, 2, 3 LIMIT :most"
)
_OF = sa.text(
    "SELECT DISTINCT f.field, p.id FROM person_field m JOIN person mine ON mine.id = m.person_id"  # noqa: S608 (words of ours)
    " JOIN person_field f ON f.field = m.field AND f.lookup = m.lookup AND f.person_id <> m.person_id"
    " JOIN person p ON p.id = f.person_id AND p.kind = mine.kind"
    f" WHERE m.person_id = :person AND {_HINTS} AND {_STANDS} ORDER BY 2, 1 LIMIT :most"
)
