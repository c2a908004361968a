"""What a launch itself says of the roster: the section that somebody came from, and their membership in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.store import Source
from lti_server.ids import DistrictId, MembershipId, PersonId, SectionId, new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseSaid:
    """A course as signed claims name it; `scope` is that within which `source_id` is unique."""

    scope: str
    source_id: str
    name: str
    memberships_url: str | None


_PUT_SECTION = sa.text(
    """
INSERT INTO section (id, district_id, grant_id, provider, source_scope, source_id, name, memberships_url, created_at)
VALUES (:id, :district, :grant, 'lti', :scope, :source, :name, :memberships_url, :now)
ON CONFLICT (grant_id, source_scope, source_id) DO UPDATE SET
  name = CASE WHEN excluded.name = '' THEN section.name ELSE excluded.name END,
  memberships_url = coalesce(excluded.memberships_url, section.memberships_url), archived_at = NULL
RETURNING id
"""
)
# Wherever in the course somebody was.
_END = sa.text(
    "UPDATE membership SET ended_at = :now WHERE person_id = :person AND ended_at IS NULL"
    " AND section_id IN (SELECT id FROM section WHERE id = :course OR course_section_id = :course)"
)
_SECTIONS = sa.text(
    "SELECT id FROM section WHERE course_section_id = :course AND source_id = ANY(:said) AND archived_at IS NULL"
    " ORDER BY created_at, id"
)
_START = sa.text(
    """
INSERT INTO membership (id, district_id, section_id, person_id, role, source, grant_id, epoch, started_at)
VALUES (:id, :district, :section, :person, :role, 'launch', :grant, :epoch, :now)
ON CONFLICT (section_id, person_id) WHERE ended_at IS NULL DO NOTHING
"""
)
_LIVE = sa.text("SELECT id FROM membership WHERE section_id = :section AND person_id = :person AND ended_at IS NULL")


def put_section(connection: Connection, district_id: DistrictId, source: Source, course: CourseSaid) -> SectionId:
    """Make the section of a course, or bring its name and service address up to what was said."""
    found = connection.execute(
        _PUT_SECTION,
        {
            "id": new_id(),
            "district": district_id,
            "grant": source.grant_id,
            "scope": course.scope,
            "source": course.source_id,
            "name": course.name,
            "memberships_url": course.memberships_url,
            "now": source.at,
        },
    ).scalar_one()
    return SectionId(found)


def sections_said(connection: Connection, course_id: SectionId, source_ids: Sequence[str]) -> list[SectionId]:
    """Those sections of a divided course that stand here already; a roster alone makes new ones."""
    if not source_ids:
        return []
    found = connection.execute(_SECTIONS, {"course": course_id, "said": list(source_ids)}).scalars()
    return [SectionId(one) for one in found]


def put_membership(
    connection: Connection,
    district_id: DistrictId,
    source: Source,
    *,
    section_id: SectionId,
    person_id: PersonId,
    role: str,
    ends_former: bool,
    within: Sequence[SectionId] = (),
) -> MembershipId:
    """Start a membership; former ones in another role end in the same transaction.

    `section_id` is the course, `within` those of its sections that somebody is in, where it is divided. The answer is
    the first of what was started.
    """
    now = {"person": person_id, "now": source.at}
    if ends_former:
        connection.execute(_END, {**now, "course": section_id})
    values = {**now, "district": district_id, "role": role, "grant": source.grant_id, "epoch": source.epoch}
    places = list(within) or [section_id]
    for place in places:
        connection.execute(_START, {**values, "id": new_id(), "section": place})
    return MembershipId(connection.execute(_LIVE, {**now, "section": places[0]}).scalar_one())
