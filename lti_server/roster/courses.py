"""A course and its sections: some platforms divide a course, and then each division is a section of its own here.

The course stays the section that launches and lessons hang on; while it is divided, its people are in its sections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import SectionId, new_id
from lti_server.providers.records import RosterPage, SourceSection
from lti_server.roster.model import Divided, ReadableSection
from lti_server.roster.run import Run
from lti_server.roster.tables import section

UNDIVIDED = "undivided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One class of a course, with what was told of it; no pages where the course is not divided so any more."""

    section_id: SectionId
    pages: tuple[RosterPage, ...]


def division_of(course: ReadableSection, pages: Sequence[RosterPage]) -> Divided:
    """What a read says of the course's sections."""
    told = [one for page in pages for one in page.sections]
    if any(one.source_id != course.source_id for one in told):
        return Divided.SECTIONS
    return Divided.UNTOLD if any(UNDIVIDED in one.extra for one in told) else Divided.NONE


def parts(
    connection: Connection, run: Run, course: ReadableSection, pages: Sequence[RosterPage]
) -> tuple[list[Part], int]:
    """The classes of a course by what was told, then its other sections as empty ones; and how many are new.

    Changes alone are told of the course as it stands undivided.
    """
    standing = _sections_of(connection, course)
    if division_of(course, pages) is not Divided.SECTIONS:
        told = [Part(section_id=course.id, pages=tuple(pages))]
        return told + [Part(section_id=one, pages=()) for one in standing.values()], 0
    names = {one.source_id: one for page in pages for one in page.sections}
    ids = {name: standing.get(name) or SectionId(new_id()) for name in names}
    if run.writes:
        _put(connection, run, course, ids, names)
    told = [
        Part(section_id=section_id, pages=tuple(_of_section(page, name) for page in pages))
        for name, section_id in ids.items()
    ]
    empty = [course.id, *(one for name, one in standing.items() if name not in ids)]
    return told + [Part(section_id=one, pages=()) for one in empty], len(ids.keys() - standing.keys())


def note_read(connection: Connection, course: ReadableSection, pages: Sequence[RosterPage], now: datetime) -> None:
    """Remember how the course is divided, and where changes after this read are told."""
    delta = any(page.delta for page in pages)
    checkpoint = pages[-1].checkpoint if pages else None
    values = {"differences_url": checkpoint.value if checkpoint else None}
    whole = {"division": division_of(course, pages).value, "read_whole_at": now}
    connection.execute(section.update().where(section.c.id == course.id).values(**values, **({} if delta else whole)))


def _sections_of(connection: Connection, course: ReadableSection) -> dict[str, SectionId]:
    rows = connection.execute(
        sa.select(section.c.source_id, section.c.id).where(section.c.course_section_id == course.id)
    )
    return {row.source_id: SectionId(row.id) for row in rows}


def _put(
    connection: Connection,
    run: Run,
    course: ReadableSection,
    ids: Mapping[str, SectionId],
    names: Mapping[str, SourceSection],
) -> None:
    connection.execute(
        _PUT,
        [
            {
                "id": section_id, "district": run.district.id, "grant": run.grant_id, "scope": course.scope,
                "source": name, "name": names[name].name, "course": course.id, "now": run.at,
            }
            for name, section_id in ids.items()
        ],
    )  # fmt: skip


_PUT = sa.text(
    """
INSERT INTO section (id, district_id, grant_id, provider, source_scope, source_id, name, course_section_id, created_at)
VALUES (:id, :district, :grant, 'lti', :scope, :source, :name, :course, :now)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, archived_at = NULL
"""
)


def _of_section(page: RosterPage, name: str) -> RosterPage:
    return replace(page, memberships=tuple(one for one in page.memberships if one.section_source_id == name))
