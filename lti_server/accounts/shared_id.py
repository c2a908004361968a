"""The district's own id of a pupil, told by two of its systems: whoever the LMS made is the pupil of the class list.

It links pupils alone. Whoever teaches is reached by no id, and nobody is where the id is two pupils' (design law 6).
Each link is a merge like any other: in the log, with its line in the ledger, and undone within 30 days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.merging import Merge, Way, Why
from lti_server.accounts.model import Kind, Known
from lti_server.accounts.store import fingerprints_of
from lti_server.errors import Conflict, NotFound
from lti_server.ids import GrantId, IdentityId, PersonId
from lti_server.privacy import log

FIELD = "local_id"
# Whose id it is that these tell is the district's student system's word. Another provider's may be anybody's.
ROSTERS = frozenset({"clever", "classlink", "oneroster"})
LMS = "lti"
MOST = 200
WHY = Why(
    by="shared-id", way=Way.SHARED_ID, interest=log.Interest.SERVICE,
    reason="Two systems of the district tell the same student number of its own.",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Of whom an equal id was told, by which kind of system. `trusted`: an LMS whose ids are the district's."""

    person_id: PersonId
    kind: Kind
    provider: str
    trusted: bool


def same_pupil(told: Iterable[Told]) -> tuple[PersonId, tuple[PersonId, ...]] | None:
    """The one pupil of a class list, and those whom the LMS made who are that pupil; None where nobody is linked.

    Told of somebody who teaches, or by the class lists of two pupils, an id links nobody.
    """
    found = list(told)
    rostered = {one.person_id for one in found if one.provider in ROSTERS}
    if len(rostered) != 1 or any(one.kind is not Kind.PUPIL for one in found):
        return None
    by_lms = {one.person_id for one in found if one.provider == LMS and one.trusted} - rostered
    others = {one.person_id for one in found} - rostered - by_lms
    return None if others or not by_lms else (rostered.pop(), tuple(sorted(by_lms)))


class SamePerson(Protocol):
    """Who somebody is, of whom an id was just told."""

    def __call__(self, connection: Connection, known: Known, grant_id: GrantId, changed: Iterable[str]) -> Known: ...


class SharedIds:
    """Links by the id at the door where it is told, and, for whoever is in no lesson, by the way."""

    def __init__(self, merge: Merge) -> None:
        self._merge = merge

    def __call__(self, connection: Connection, known: Known, grant_id: GrantId, changed: Iterable[str]) -> Known:
        """Whoever comes, or whom they turn out to be: where a field that has just changed is the district's id."""
        if FIELD not in changed:
            return known
        lookups = connection.execute(_LOOKUPS, {"person": known.person_id}).scalars()
        for lookup in [bytes(one) for one in lookups]:
            self._link(connection, lookup)
        row = connection.execute(_NOW, {"person": known.person_id}).one()
        if row.id == known.person_id:
            return known
        person_id = PersonId(row.id)
        return replace(
            known, person_id=person_id, identity_id=IdentityId(known.identity_id), wrapped_key=bytes(row.wrapped_key),
            fingerprints=fingerprints_of(connection, person_id, grant_id),
        )  # fmt: skip

    def sweep(self, connection: Connection) -> int:
        """Link what class lists told since, of pupils who are in no lesson now; how many ids that was."""
        found = [bytes(one) for one in connection.execute(_PAIRS, {"rosters": sorted(ROSTERS), "most": MOST}).scalars()]
        return sum(self._link(connection, one) for one in found)

    def _link(self, connection: Connection, lookup: bytes) -> bool:
        found = same_pupil(
            Told(person_id=PersonId(row.id), kind=Kind(row.kind), provider=row.provider, trusted=row.trusted)
            for row in connection.execute(_TOLD, {"lookup": lookup})
        )
        if found is None:
            return False
        into, gone = found
        for one in gone:
            if self._undone(connection, into, one):
                continue
            try:
                self._merge.merge(connection, into, one, WHY)
            except (Conflict, NotFound):  # a guardian's block, an erasure: they stay two
                return False
        return True

    @staticmethod
    def _undone(connection: Connection, into: PersonId, gone: UUID) -> bool:
        """Whom somebody has told apart, no id puts together again."""
        return connection.execute(_APART, {"ids": [into, gone]}).first() is not None


_LOOKUPS = sa.text("SELECT DISTINCT lookup FROM person_field WHERE person_id = :person AND field = 'local_id'")
_TOLD = sa.text(
    "SELECT p.id, p.kind, g.provider, coalesce((SELECT bool_or(r.shared_id) FROM registration r"
    "  WHERE r.grant_id = g.id AND r.removed_at IS NULL), false) AS trusted"
    " FROM person_field f JOIN person p ON p.id = f.person_id JOIN grants g ON g.id = f.grant_id"
    " WHERE f.field = 'local_id' AND f.lookup = :lookup AND g.state = 'active' AND p.wrapped_key IS NOT NULL"
    " AND p.merged_into IS NULL"
)
_NOW = sa.text(
    "SELECT o.id, o.wrapped_key FROM person p JOIN person o ON o.id = coalesce(p.merged_into, p.id)"
    " WHERE p.id = :person"
)
_APART = sa.text(
    "SELECT 1 FROM merge_ledger WHERE from_person_id = ANY(:ids) AND to_person_id = ANY(:ids) AND undone_at IS NOT NULL"
)
_PAIRS = sa.text(
    "SELECT DISTINCT f.lookup FROM person_field f JOIN grants g ON g.id = f.grant_id JOIN registration r"
    " ON r.grant_id = g.id AND r.shared_id AND r.removed_at IS NULL"
    " JOIN person_field o ON o.field = f.field AND o.lookup = f.lookup AND o.person_id <> f.person_id"
    " JOIN grants h ON h.id = o.grant_id WHERE f.field = 'local_id' AND g.state = 'active' AND h.state = 'active'"
    " AND h.provider = ANY(:rosters) AND NOT EXISTS (SELECT FROM session s WHERE s.person_id = f.person_id"
    "  AND s.ended_at IS NULL AND s.expires_at > now()) LIMIT :most"
)
