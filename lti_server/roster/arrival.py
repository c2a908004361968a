"""What a launch itself says of the roster: the section that somebody came from, and their membership in it."""

from __future__ import annotations

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
_END = sa.text(
    "UPDATE membership SET ended_at = :now WHERE section_id = :section AND person_id = :person AND ended_at IS NULL"
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


def put_membership(
    connection: Connection,
    district_id: DistrictId,
    source: Source,
    *,
    section_id: SectionId,
    person_id: PersonId,
    role: str,
    ends_former: bool,
) -> MembershipId:
    """Start a membership; a former one in another role ends in the same transaction."""
    place = {"section": section_id, "person": person_id, "now": source.at}
    if ends_former:
        connection.execute(_END, place)
    values = {**place, "id": new_id(), "district": district_id, "role": role, "grant": source.grant_id}
    connection.execute(_START, {**values, "epoch": source.epoch})
    return MembershipId(connection.execute(_LIVE, place).scalar_one())
