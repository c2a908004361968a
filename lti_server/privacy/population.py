"""The population of a grant: everybody, or whoever is in some of its sections. It only narrows.

Widening would let in whom nobody signed for: whoever wants that makes a new grant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import Conflict, InvalidInput
from lti_server.ids import GrantId, SectionId, new_id
from lti_server.privacy import grants
from lti_server.privacy.grant_states import WITHDRAWN, Standing

_NAMED = sa.text(
    "SELECT id, school FROM section WHERE grant_id = :grant AND grant_reaches(:grant, id)"
    " AND (id = ANY(CAST(:sections AS uuid[])) OR school = ANY(:schools)) ORDER BY created_at, id"
)
_REACHED = sa.text(
    "SELECT s.id FROM section s WHERE s.grant_id = :grant AND grant_reaches(:grant, s.id)"
    " AND EXISTS (SELECT FROM grants g WHERE g.id = :grant AND (NOT g.narrowed OR EXISTS"
    " (SELECT FROM grant_section p WHERE p.grant_id = g.id AND p.section_id = s.id))) ORDER BY s.id"
)
_KEEP = sa.text(
    "INSERT INTO grant_section (district_id, grant_id, section_id)"
    " SELECT g.district_id, g.id, one FROM grants g, unnest(CAST(:sections AS uuid[])) AS one WHERE g.id = :grant"
)
_DROP = sa.text("DELETE FROM grant_section WHERE grant_id = :grant AND section_id <> ALL(CAST(:sections AS uuid[]))")
_NARROWED = sa.text("UPDATE grants SET narrowed = true, epoch = epoch + 1 WHERE id = :grant")
_NEXT = sa.text("UPDATE grants SET epoch = epoch + 1 WHERE id = :grant")
_BEGUN = sa.text(
    "INSERT INTO revocation (id, district_id, grant_id, epoch, uses, asked_by, reason, requested_at)"
    " SELECT :id, district_id, id, epoch, '{}', :by, :reason, :now FROM grants WHERE id = :grant RETURNING id, epoch"
)
_OUTSIDE = sa.text(
    "SELECT count(*) FILTER (WHERE role = 'pupil') AS pupil_memberships,"
    " count(*) FILTER (WHERE role = 'teacher') AS teacher_memberships, count(DISTINCT section_id) AS sections"
    " FROM membership m JOIN section s ON s.id = m.section_id WHERE m.grant_id = :grant AND m.ended_at IS NULL"
    " AND s.id <> ALL(CAST(:sections AS uuid[]))"
    " AND (s.course_section_id IS NULL OR s.course_section_id <> ALL(CAST(:sections AS uuid[])))"
)

_SCHOOLS = sa.text(
    "SELECT coalesce(school, '') AS school, count(*) FILTER (WHERE grant_reaches(:grant, id)) AS inside,"
    " count(*) FILTER (WHERE NOT grant_reaches(:grant, id)) AS outside"
    " FROM section WHERE grant_id = :grant GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """How many classes of a school a grant reaches, and how many it does not. Without a name: of no named school."""

    name: str
    inside: int
    outside: int


def named(
    connection: Connection,
    grant_id: GrantId,
    *,
    sections: Sequence[SectionId],
    schools: Sequence[str],
    grades: Sequence[str] = (),
) -> list[SectionId]:
    """The sections of a grant that ids and names of schools mean. A name that nothing has is refused (law 1).

    Raises:
        InvalidInput: nothing is named, or something that the grant does not reach; every fault at once.
    """
    values = {"grant": grant_id, "sections": list(sections), "schools": list(schools)}
    rows = connection.execute(_NAMED, values).all()
    ids, known = {row.id for row in rows}, {row.school for row in rows}
    faults = [
        ("/sections", "One of the ids is no section that this connection reaches.")
        for one in sections
        if one not in ids
    ]
    faults += [("/schools", "One of the names is no school of this connection.") for one in schools if one not in known]
    faults += [("/grades", "This connection tells of no grades of its sections. Name the sections.") for _ in grades]
    if not rows and not faults:
        faults = [("/sections", "Name at least one section or school that stays.")]
    if faults:
        raise InvalidInput.listing("Nothing was narrowed. `lti-server section list` shows the sections.", faults)
    return [SectionId(row.id) for row in rows]


def known(connection: Connection, grant_id: GrantId, sections: Sequence[SectionId]) -> list[SectionId]:
    """Those of some sections that stand here and are reached."""
    rows = connection.execute(_NAMED, {"grant": grant_id, "sections": list(sections), "schools": []})
    return [SectionId(row.id) for row in rows]


def reached(connection: Connection, grant_id: GrantId) -> list[SectionId]:
    """The sections that a grant reaches: of a narrowed one, those that were named."""
    return [SectionId(one) for one in connection.execute(_REACHED, {"grant": grant_id}).scalars()]


def schools(connection: Connection, grant_id: GrantId) -> list[School]:
    """What a grant reaches, school by school: counts of classes, nobody in them."""
    rows = connection.execute(_SCHOOLS, {"grant": grant_id})
    return [School(name=row.school, inside=row.inside, outside=row.outside) for row in rows]


def outside(connection: Connection, grant_id: GrantId, keep: Sequence[SectionId]) -> Mapping[str, int]:
    """What would end, were these sections all that is kept: counts, no names."""
    return dict(connection.execute(_OUTSIDE, {"grant": grant_id, "sections": list(keep)}).one()._mapping)


def narrow(
    connection: Connection, grant_id: GrantId, keep: Sequence[SectionId], *, by: str, now: datetime, reason: bytes
) -> tuple[UUID, Standing]:
    """Phase 1 of a narrowing: the next epoch, under which these sections alone are reached. The withdrawal's id.

    Raises:
        NotFound, Conflict: there is no such grant, or it is withdrawn.
    """
    before = _open(connection, grant_id)
    was_narrowed = connection.execute(
        sa.text("SELECT narrowed FROM grants WHERE id = :grant"), {"grant": grant_id}
    ).scalar_one()
    values = {"grant": grant_id, "sections": list(keep)}
    connection.execute(_DROP if was_narrowed else _KEEP, values)
    connection.execute(_NARROWED, values)
    return _begin(connection, grant_id, before, by=by, now=now, reason=reason)


def narrow_to_contract(
    connection: Connection, grant_id: GrantId, *, by: str, now: datetime, reason: bytes
) -> tuple[UUID, Standing]:
    """Phase 1 of a narrowing by the contract, whose population stands there already. The withdrawal's id.

    Raises:
        NotFound, Conflict: as `narrow`.
    """
    before = _open(connection, grant_id)
    connection.execute(_NEXT, {"grant": grant_id})
    return _begin(connection, grant_id, before, by=by, now=now, reason=reason)


def _open(connection: Connection, grant_id: GrantId) -> Standing:
    before = grants.standing_of(connection, grant_id)
    if before.state in WITHDRAWN:
        raise Conflict("This connection is revoked, so there is nothing to narrow.")
    return before


def _begin(
    connection: Connection, grant_id: GrantId, before: Standing, *, by: str, now: datetime, reason: bytes
) -> tuple[UUID, Standing]:
    begun = {"id": new_id(), "grant": grant_id, "by": by, "reason": reason, "now": now}
    row = connection.execute(_BEGUN, begun).one()
    return row.id, Standing(before.state, row.epoch, before.uses)
