"""Sections, memberships and runs at rest. Every function runs on the caller's transaction, within its tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.accounts.store import Source
from lti_server.ids import DistrictId, GrantId, MembershipId, PersonId, RunId, SectionId, new_id
from lti_server.roster.model import Counts, Hold, ReadableSection, RunState, Standing
from lti_server.roster.tables import membership, roster_run, section


def readable(connection: Connection, section_id: SectionId | None) -> list[ReadableSection]:
    """Sections of live LTI platforms that offer the service; one of them with `section_id`."""
    select = sa.text(
        "SELECT s.id, s.grant_id, s.source_id, s.name, s.memberships_url, s.source_scope, s.differences_url,"
        " s.read_whole_at FROM section s JOIN grants g ON g.id = s.grant_id"
        " WHERE s.provider = 'lti' AND s.memberships_url IS NOT NULL AND s.archived_at IS NULL AND g.state = 'active'"
        " AND 'roster' = ANY (g.uses) AND grant_reaches(g.id, s.id)"
        " AND (CAST(:id AS uuid) IS NULL OR s.id = :id) ORDER BY s.created_at, s.id"
    )
    return [
        ReadableSection(
            id=SectionId(row.id), grant_id=GrantId(row.grant_id), source_id=row.source_id, name=row.name,
            memberships_url=row.memberships_url, scope=row.source_scope, differences_url=row.differences_url,
            read_whole_at=row.read_whole_at,
        )
        for row in connection.execute(select, {"id": section_id})
    ]  # fmt: skip


def live_members(connection: Connection, section_id: SectionId, grant_id: GrantId) -> dict[PersonId, Standing]:
    """Who is in a section now, by person."""
    rows = connection.execute(
        sa.select(
            membership.c.id, membership.c.person_id, membership.c.role, membership.c.grant_id, membership.c.source
        ).where(membership.c.section_id == section_id, membership.c.ended_at.is_(None))
    )
    return {
        PersonId(row.person_id): Standing(
            id=MembershipId(row.id),
            person_id=PersonId(row.person_id),
            role=row.role,
            ours=row.grant_id == grant_id,
            launched=row.source == "launch",
        )
        for row in rows
    }


def end(connection: Connection, ended: Sequence[MembershipId], run_id: RunId, now: datetime) -> None:
    """End memberships; they stay as history."""
    if ended:
        connection.execute(
            membership.update()
            .where(membership.c.id.in_(ended), membership.c.ended_at.is_(None))
            .values(ended_at=now, ended_by_run_id=run_id)
        )


def start(
    connection: Connection,
    district_id: DistrictId,
    section_id: SectionId,
    source: Source,
    who: Sequence[tuple[PersonId, str]],
) -> None:
    """Start memberships with their provenance; one that a launch started meanwhile stands."""
    if who:
        rows = [
            {
                "id": new_id(), "district_id": district_id, "section_id": section_id, "person_id": person_id,
                "role": role, "source": "roster", "grant_id": source.grant_id, "run_id": source.run_id,
                "epoch": source.epoch, "started_at": source.at,
            }
            for person_id, role in who
        ]  # fmt: skip
        connection.execute(
            pg.insert(membership).on_conflict_do_nothing(
                index_elements=["section_id", "person_id"], index_where=membership.c.ended_at.is_(None)
            ),
            rows,
        )


def begin_run(connection: Connection, district_id: DistrictId, run_id: RunId, grant_id: GrantId, now: datetime) -> None:
    """A run that is under way. Whoever holds the lease is alone: a run that still stands open died with its process."""
    died = "The process ended in the middle; nothing was changed."
    connection.execute(
        roster_run.update()
        .where(roster_run.c.grant_id == grant_id, roster_run.c.state == "running")
        .values(state="failed", detail=died, finished_at=now)
    )
    connection.execute(
        roster_run.insert().values(
            id=run_id, district_id=district_id, grant_id=grant_id, provider="lti", state="running", counts={}, holds=[],
            refused_fields={}, started_at=now,
        )
    )  # fmt: skip


def finish_run(
    connection: Connection,
    run_id: RunId,
    state: RunState,
    *,
    counts: Counts,
    holds: Sequence[Hold],
    refused: dict[str, int],
    detail: str | None,
    now: datetime,
) -> None:
    """How a run ended. Counts and names of fields, never a value."""
    connection.execute(
        roster_run.update()
        .where(roster_run.c.id == run_id)
        .values(
            state=state.value, counts=counts.plain(),
            holds=[{"rule": one.rule, "scope": one.scope, "detail": one.detail} for one in holds],
            refused_fields=refused, detail=detail, finished_at=now,
        )
    )  # fmt: skip


def run(connection: Connection, run_id: UUID) -> dict[str, Any] | None:
    """One run as the command line shows it."""
    row = connection.execute(sa.select(roster_run).where(roster_run.c.id == run_id)).one_or_none()
    return None if row is None else _run(row)


def runs(connection: Connection) -> list[dict[str, Any]]:
    """Runs of the entered district, newest first."""
    rows = connection.execute(sa.select(roster_run).order_by(roster_run.c.started_at.desc()).limit(200))
    return [_run(row) for row in rows]


def _run(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "run_id": str(row.id),
        "state": row.state,
        "provider": row.provider,
        "counts": row.counts,
        "holds": row.holds,
        "refused_fields": row.refused_fields,
        "detail": row.detail,
        "started_at": row.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def sections(connection: Connection) -> list[dict[str, Any]]:
    """Sections of the entered district with their counts (design 6.7)."""
    counted = sa.text(
        "SELECT s.id, s.name, s.school, s.source_id,"
        " count(m.id) FILTER (WHERE m.role = 'teacher') AS teachers,"
        " count(m.id) FILTER (WHERE m.role = 'pupil') AS pupils"
        " FROM section s LEFT JOIN membership m ON m.section_id = s.id AND m.ended_at IS NULL"
        " WHERE s.archived_at IS NULL GROUP BY s.id"
        # A course that is divided is its sections; a section that no course is divided into any more is none.
        " HAVING count(m.id) > 0 OR (s.division <> 'sections' AND s.course_section_id IS NULL)"
        " ORDER BY s.created_at, s.id"
    )
    return [
        {
            "id": str(row.id), "name": row.name, "school": row.school, "source_id": row.source_id,
            "teachers": row.teachers, "pupils": row.pupils,
        }
        for row in connection.execute(counted)
    ]  # fmt: skip


def members(connection: Connection, section_id: UUID) -> list[sa.Row[Any]]:
    """Everyone who ever was in a section, in the order of their coming: a neutral name counts on it."""
    return list(
        connection.execute(
            sa.select(membership.c.person_id, membership.c.role, membership.c.ended_at)
            .where(membership.c.section_id == section_id)
            .order_by(membership.c.started_at, membership.c.id)
        )
    )


def section_row(connection: Connection, section_id: UUID) -> sa.Row[Any] | None:
    """One section."""
    return connection.execute(sa.select(section).where(section.c.id == section_id)).one_or_none()
