"""Two people who are one: merged by what proves it, with a preview and a ledger, and undone within 30 days.

Whoever is merged keeps their row and key: the words of the log are under it. All else becomes the other's, and each
feature says how (`Part`). An erasure takes both. A pupil and a teacher are never one (design law 6).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.model import Kind
from lti_server.accounts.store import lock_subject
from lti_server.accounts.tables import merge_ledger
from lti_server.db import Database
from lti_server.errors import Conflict, NotFound
from lti_server.ids import Clock, DistrictId, PersonId, new_id
from lti_server.privacy import log
from lti_server.privacy.ages import earliest_day
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.rights import check_reason

UNDO_WITHIN = timedelta(days=30)


class Way(StrEnum):
    """What shows that two are one."""

    PROOF = "proof"
    """The person signed in as both, within minutes."""
    ADMINISTRATOR = "administrator"
    """The district knows its people."""
    SHARED_ID = "shared_id"
    """The district's own id of a pupil, told by two of its systems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two."""

    person_id: PersonId
    kind: str
    key: PersonKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Who becomes whose. `at` is when they were merged, also where that is undone."""

    merge_id: UUID
    into: Side
    gone: Side
    at: datetime
    keys: DistrictKeys = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a part did: ids of rows by table, and, sealed in the ledger, what it had to decide between."""

    ids: Mapping[str, Sequence[str]]
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """A merge that is undone. `theirs` are the grants by which the one who was merged came, and nobody else of both."""

    pair: Pair
    moved: Moved = field(repr=False)
    theirs: frozenset[UUID]
    shared: frozenset[UUID]


class Part(Protocol):
    """A feature's part in a merge, on the caller's transaction; both people are locked."""

    @property
    def name(self) -> str: ...

    def counts(self, connection: Connection, person_id: PersonId) -> Mapping[str, int]:
        """How much of what somebody has, for the preview: names of our own, no value."""
        ...

    def merge(self, connection: Connection, pair: Pair) -> Moved: ...

    def undo(self, connection: Connection, undoing: Undoing) -> None:
        """Give back what was moved; what came since stays with whoever's way in brought it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What each of two has, by counts: nobody's name is in it."""

    into: PersonId
    gone: PersonId
    kind: str
    has: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A line of the ledger."""

    id: UUID
    into: PersonId
    gone: PersonId
    way: Way
    made_at: datetime
    undo_until: datetime
    undone_at: datetime | None

    def may_be_undone(self, now: datetime) -> bool:
        return self.undone_at is None and now < self.undo_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Who merges or undoes, how that is shown, and why in words that the person may read."""

    by: str
    way: Way
    reason: str = field(repr=False)
    interest: log.Interest = log.Interest.OPERATION
    details: Mapping[str, object] = field(default_factory=dict)


class Merge:
    """Merges people, shows before what that does, and undoes it."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        parts: Sequence[Part],
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._parts = parts
        self._journal = journal
        self._clock = clock

    def preview(self, connection: Connection, into: PersonId, gone: PersonId) -> Preview:
        """What both have. Nothing is changed.

        Raises:
            NotFound, Conflict: as `merge`.
        """
        keys = self._district(connection).keys
        sides = _two(connection, keys, into, gone, lock=False)
        _may(connection, *sides)
        both = [{**dict(part.counts(connection, into))} for part in self._parts]
        theirs = [dict(part.counts(connection, gone)) for part in self._parts]
        has = {
            name: (mine[name], other.get(name, 0)) for mine, other in zip(both, theirs, strict=True) for name in mine
        }
        return Preview(into=into, gone=gone, kind=sides[0].kind, has=has)

    def merge(self, connection: Connection, into: PersonId, gone: PersonId, why: Why) -> UUID:
        """Let `gone` be `into` from here on, on the caller's transaction: all that is kept of both is one person's.

        Sessions of `gone` end. Both read of it in their log.

        Raises:
            InvalidInput: no reason is given.
            NotFound: one of both is nobody, was erased, or is another's already.
            Conflict: they are one, a pupil and a teacher, or somebody of whom nothing may be collected.
        """
        check_reason(why.reason)
        now, keys = self._clock.now(), self._district(connection).keys
        target, absorbed = _two(connection, keys, into, gone, lock=True)
        _may(connection, target, absorbed)
        pair = Pair(merge_id=new_id(), into=target, gone=absorbed, at=now, keys=keys)
        done = {part.name: part.merge(connection, pair) for part in self._parts}
        connection.execute(_MERGED, {"gone": gone, "into": into})
        if target.kind == Kind.PUPIL.value:  # of what is said of both ages, the lower counts from here on
            ages.hold(connection, ages.Whose(keys=keys, person_id=into, key=target.key), earliest_day(now))
        sealed = json.dumps({name: one.kept for name, one in done.items()})
        connection.execute(
            merge_ledger.insert().values(
                id=pair.merge_id, district_id=keys.district_id, from_person_id=gone, to_person_id=into,
                way=why.way.value, made_by=why.by, made_at=now, undo_until=now + UNDO_WITHIN,
                moved={name: dict(one.ids) for name, one in done.items()},
                sealed=absorbed.key.seal("merge_ledger", "sealed", pair.merge_id, sealed),
            )
        )  # fmt: skip
        self._note(connection, pair, "person merge", why)
        return pair.merge_id

    def undo(self, district_id: DistrictId, merge_id: UUID, why: Why) -> None:
        """Let them be two again, within 30 days. What came since stays with whoever's way in brought it.

        Raises:
            InvalidInput: no reason is given. NotFound: there is no such merge.
            Conflict: it was undone, its time is over, or another one has come on top of it.
        """
        check_reason(why.reason)
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            self._undo(connection, merge_id, why, now)
            self._journal.append(JournalKind.UNMERGE, district_id=district_id, at=now, merge=str(merge_id))

    def replay(self, entry: JournalEntry) -> bool:
        """Undo again what a restored backup has as merged; False where it does not."""
        assert entry.district_id is not None
        why = Why(by="restore", way=Way.ADMINISTRATOR, reason="A restored backup did not know that this was undone.")
        with self._database.tenant(entry.district_id) as connection:
            row = _line(connection, UUID(entry.said["merge"]))
            if row is None or row.undone_at is not None or row.moved is None:
                return False
            self._undo(connection, row.id, why, entry.at)
        return True

    def _undo(self, connection: Connection, merge_id: UUID, why: Why, now: datetime) -> None:
        row = _line(connection, merge_id)
        if row is None:
            raise NotFound("There is no such merge.")
        if row.undone_at is not None or row.moved is None or now >= row.undo_until:
            raise Conflict("This was undone already, or the 30 days in which it could be are over.")
        keys = self._district(connection).keys
        _wait_for_arrivals(connection, row)
        pair = _pair(connection, keys, row)
        if connection.execute(_LATER, {"id": row.id, "into": row.to_person_id, "at": row.made_at}).first() is not None:
            raise Conflict("Another merge has come on top of this one. Undo that one first.")
        kept = json.loads(pair.gone.key.open("merge_ledger", "sealed", row.id, bytes(row.sealed)))
        theirs, shared = _grants(connection, row)
        connection.execute(_TWO_AGAIN, {"gone": row.from_person_id})
        for part in reversed(self._parts):
            moved = Moved(ids=row.moved.get(part.name, {}), kept=kept.get(part.name, {}))
            part.undo(connection, Undoing(pair=pair, moved=moved, theirs=theirs, shared=shared))
        connection.execute(_UNDONE, {"id": row.id, "by": why.by, "at": now})
        self._note(connection, pair, "person unmerge", why)

    def every(self, connection: Connection) -> list[Merged]:
        """The merges of the entered district, newest first."""
        rows = connection.execute(sa.select(merge_ledger).order_by(merge_ledger.c.made_at.desc(), merge_ledger.c.id))
        return [
            Merged(
                id=row.id, into=PersonId(row.to_person_id), gone=PersonId(row.from_person_id), way=Way(row.way),
                made_at=row.made_at, undo_until=row.undo_until, undone_at=row.undone_at,
            )
            for row in rows
        ]  # fmt: skip

    def expire(self, connection: Connection) -> int:
        """Wipe what undoing would need once its time is over, in the entered district; how many lines that was."""
        return connection.execute(_EXPIRE, {"now": self._clock.now()}).rowcount

    def _note(self, connection: Connection, pair: Pair, act: str, why: Why) -> None:
        """One entry of each: whoever reads their log reads why, whichever of both they were."""
        for side in (pair.into, pair.gone):
            entry = log.entry(
                pair.keys, at=self._clock.now(), actor=why.by, act=act, decision="allowed", purpose="operation",
                object_id=side.person_id, population="person", interest=why.interest,
                words=log.Words(person_id=side.person_id, text=why.reason, key=side.key),
                payload={**why.details, "way": why.way.value, "merge": str(pair.merge_id)},
            )  # fmt: skip
            log.record(connection, entry)


def one_person(connection: Connection, person_id: PersonId) -> list[PersonId]:
    """Every id of ours under which somebody is kept: the one that stands first, then those merged into it."""
    found = connection.execute(_ONE_PERSON, {"person": person_id}).scalars()
    return [PersonId(one) for one in found] or [person_id]


def survivor(connection: Connection, person_id: PersonId) -> PersonId:
    """Whose an id is now."""
    return one_person(connection, person_id)[0]


def _two(
    connection: Connection, keys: DistrictKeys, into: PersonId, gone: PersonId, *, lock: bool
) -> tuple[Side, Side]:
    """Both, locked in one order whichever is merged into which, so that nobody waits in a circle."""
    if into == gone:
        raise Conflict("This is one person already.")
    rows = {row.id: row for row in connection.execute(_LOCK if lock else _READ, {"ids": sorted((into, gone))})}
    sides = []
    for person_id in (into, gone):
        row = rows.get(person_id)
        if row is None or row.wrapped_key is None or row.merged_into is not None:
            raise NotFound("There is no person with this id (any more).")
        key = keys.person_key(person_id, bytes(row.wrapped_key))
        sides.append(Side(person_id=person_id, kind=row.kind, key=key))
    return sides[0], sides[1]


def _may(connection: Connection, into: Side, gone: Side) -> None:
    """A pupil and a teacher are never one, whichever is merged into which; a guardian's block stands over both."""
    if into.kind != gone.kind:
        raise Conflict("One is a pupil and the other teaches: they stay two.")
    if connection.execute(_STOPPED, {"ids": [into.person_id, gone.person_id]}).first() is not None:
        raise Conflict("Of one of both nothing may be collected, or an erasure has begun: they stay two.")


def _pair(connection: Connection, keys: DistrictKeys, row: sa.Row[Any]) -> Pair:
    ids = sorted((row.from_person_id, row.to_person_id))
    found = {one.id: one for one in connection.execute(_LOCK, {"ids": ids})}
    sides = []
    for person_id in (row.to_person_id, row.from_person_id):
        one = found[person_id]
        if one.wrapped_key is None:
            raise Conflict("This person was erased: nothing is left to be undone.")
        key = keys.person_key(PersonId(person_id), bytes(one.wrapped_key))
        sides.append(Side(person_id=PersonId(person_id), kind=one.kind, key=key))
    if found[row.to_person_id].merged_into is not None:
        raise Conflict("Another merge has come on top of this one. Undo that one first.")
    return Pair(merge_id=row.id, into=sides[0], gone=sides[1], at=row.made_at, keys=keys)


def _line(connection: Connection, merge_id: UUID) -> sa.Row[Any] | None:
    return connection.execute(
        sa.select(merge_ledger).where(merge_ledger.c.id == merge_id).with_for_update()
    ).one_or_none()


def _wait_for_arrivals(connection: Connection, row: sa.Row[Any]) -> None:
    """Whoever comes by a way in that is given back is let in before that, as the one, or after it, as the other.

    Before anybody is locked: who is let in holds the lock of the way in, and waits for the person's row.
    """
    for hashed in connection.execute(_WAYS, {"moved": _ways(row)}).scalars().all():
        lock_subject(connection, bytes(hashed))


def _ways(row: sa.Row[Any]) -> list[str]:
    """The identities that a merge moved."""
    return [one for ids in row.moved.values() for one in ids.get("identity", ())]


def _grants(connection: Connection, row: sa.Row[Any]) -> tuple[frozenset[UUID], frozenset[UUID]]:
    """The grants by which the one came and the other did not, and those by which both did."""
    moved = _ways(row)
    theirs: set[UUID] = set()
    others: set[UUID] = set()
    for grant_id, is_theirs in connection.execute(_CAME_BY, {"into": row.to_person_id, "moved": moved}):
        (theirs if is_theirs else others).add(grant_id)
    return frozenset(theirs - others), frozenset(theirs & others)


_READ = sa.text("SELECT id, kind, wrapped_key, merged_into FROM person WHERE id = ANY(:ids)")
_LOCK = sa.text("SELECT id, kind, wrapped_key, merged_into FROM person WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")
_MERGED = sa.text("UPDATE person SET merged_into = :into WHERE id = :gone")
_TWO_AGAIN = sa.text("UPDATE person SET merged_into = NULL WHERE id = :gone")
_STOPPED = sa.text(
    "SELECT 1 FROM block WHERE person_id = ANY(:ids) AND lifted_at IS NULL"
    " UNION ALL SELECT 1 FROM erasure WHERE person_id = ANY(:ids)"
)
_LATER = sa.text(
    "SELECT 1 FROM merge_ledger WHERE id <> :id AND undone_at IS NULL AND to_person_id = :into AND made_at >= :at"
)
_CAME_BY = sa.text(
    "SELECT DISTINCT grant_id, id = ANY(CAST(:moved AS uuid[])) AS is_theirs FROM identity WHERE person_id = :into"
)
_WAYS = sa.text("SELECT subject_hash FROM identity WHERE id = ANY(CAST(:moved AS uuid[])) ORDER BY subject_hash")
_UNDONE = sa.text(
    "UPDATE merge_ledger SET undone_by = :by, undone_at = :at, moved = NULL, sealed = NULL WHERE id = :id"
)
_EXPIRE = sa.text("UPDATE merge_ledger SET moved = NULL, sealed = NULL WHERE undo_until <= :now AND moved IS NOT NULL")
_ONE_PERSON = sa.text(
    """
WITH RECURSIVE up AS (
  SELECT id, merged_into, 0 AS far FROM person WHERE id = :person
  UNION ALL SELECT p.id, p.merged_into, up.far + 1 FROM person p JOIN up ON p.id = up.merged_into
), down AS (
  SELECT id, 0 AS far FROM (SELECT id FROM up ORDER BY far DESC LIMIT 1) AS stands
  UNION ALL SELECT p.id, down.far + 1 FROM person p JOIN down ON p.merged_into = down.id
)
SELECT id FROM down ORDER BY far, id
"""
)
