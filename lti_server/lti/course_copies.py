"""Courses that were copied from others: what a notice or a launch said, and what a copied link opens.

Settings are cloned (lesson, activity, deep linked item); nothing of a pupil is read or written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import DeploymentRowId, DistrictId, ResourceLinkRowId
from lti_server.lti.claims import Launch
from lti_server.lti.lesson_link import Wanted

# A copy of a copy of a copy: as far back as a course is followed.
MOST_GENERATIONS = 20

_RECORD = sa.text(
    """
INSERT INTO course_copy (district_id, deployment_row_id, context_id, origin_context_id, position, recorded_at)
SELECT :district, :deployment, :context, origin, place - 1, :now
FROM unnest(CAST(:origins AS text[])) WITH ORDINALITY AS said (origin, place)
ON CONFLICT (deployment_row_id, context_id, origin_context_id) DO NOTHING
"""
)
# Breadth first: what a course was copied from itself comes before what its origins were copied from.
_ORIGINS = sa.text(
    """
WITH RECURSIVE copied (origin, generation, way) AS (
  SELECT origin_context_id, 1, ARRAY[position] FROM course_copy
  WHERE deployment_row_id = :deployment AND context_id = :context
  UNION
  SELECT c.origin_context_id, f.generation + 1, f.way || c.position FROM copied f
  JOIN course_copy c ON c.deployment_row_id = :deployment AND c.context_id = f.origin
  WHERE f.generation < :most)
CYCLE origin SET again USING path
SELECT origin FROM copied WHERE NOT again AND origin <> :context
GROUP BY origin ORDER BY min(generation), min(way)
"""
)
_BY_HISTORY = sa.text(
    """
SELECT l.id, l.lesson_id, l.activity_id, l.deep_link_item_id FROM resource_link l
JOIN unnest(CAST(:links AS text[])) WITH ORDINALITY AS said (id, place) ON said.id = l.resource_link_id
WHERE l.deployment_row_id = :deployment AND l.resource_link_id <> :link ORDER BY said.place LIMIT 1
"""
)
_BY_TITLE = sa.text(
    """
SELECT l.id, l.lesson_id, l.activity_id, l.deep_link_item_id, said.place FROM resource_link l
JOIN section s ON s.id = l.section_id
JOIN unnest(CAST(:origins AS text[])) WITH ORDINALITY AS said (id, place) ON said.id = s.source_id
WHERE l.deployment_row_id = :deployment AND l.title = :title ORDER BY said.place, l.created_at
"""
)


class Placed(Protocol):
    """Whatever stands at a deployment: a launch's standing, or a notice."""

    @property
    def district_id(self) -> DistrictId: ...
    @property
    def deployment_row_id(self) -> DeploymentRowId: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The link that a link was copied from, and what that one opens."""

    link_id: ResourceLinkRowId
    wanted: Wanted


def record(connection: Connection, standing: Placed, context_id: str, origins: Sequence[str], now: datetime) -> None:
    """Keep that a course was copied from others, the last one first. To say it again changes nothing."""
    others = [origin for origin in origins if origin != context_id]
    if not others:
        return
    connection.execute(
        _RECORD,
        {
            "district": standing.district_id, "deployment": standing.deployment_row_id, "context": context_id,
            "origins": others, "now": now,
        },
    )  # fmt: skip


def origins(connection: Connection, deployment_row_id: DeploymentRowId, context_id: str) -> tuple[str, ...]:
    """The courses of this deployment that a course was copied from, over all generations, the nearest first."""
    values = {"deployment": deployment_row_id, "context": context_id, "most": MOST_GENERATIONS}
    return tuple(connection.execute(_ORIGINS, values).scalars())


def origin_link(connection: Connection, standing: Placed, launch: Launch) -> Origin | None:
    """The link that a launch's link was copied from, or None where that cannot be told.

    The link's own history says it (`$ResourceLink.id.history`). Else it is the one of the same title in the nearest
    course that has such a one; where links of that title open different things, nobody guesses.
    """
    named = {"deployment": standing.deployment_row_id, "link": launch.resource_link_id}
    if launch.history.links:
        row = connection.execute(_BY_HISTORY, {**named, "links": list(launch.history.links)}).one_or_none()
        if row is not None:
            return _origin(row)
    if launch.context is None or not launch.resource_link_title:
        return None
    known = origins(connection, standing.deployment_row_id, launch.context.id) or launch.history.contexts
    if not known:
        return None
    rows = connection.execute(
        _BY_TITLE,
        {"deployment": standing.deployment_row_id, "origins": list(known), "title": launch.resource_link_title},
    ).all()
    nearest = [row for row in rows if row.place == rows[0].place]
    return _origin(nearest[0]) if nearest and len({_opens(row) for row in nearest}) == 1 else None


def put_origin(connection: Connection, link_id: ResourceLinkRowId, origin: Origin) -> None:
    """Keep which link a link was copied from."""
    update = sa.text("UPDATE resource_link SET copied_from_id = :origin WHERE id = :id AND id <> :origin")
    connection.execute(update, {"id": link_id, "origin": origin.link_id})


def _origin(row: sa.Row[Any]) -> Origin:
    wanted = Wanted(lesson_id=row.lesson_id, activity_id=row.activity_id, item_id=row.deep_link_item_id)
    return Origin(link_id=ResourceLinkRowId(row.id), wanted=wanted)


def _opens(row: sa.Row[Any]) -> tuple[str, str]:
    return row.lesson_id, row.activity_id
