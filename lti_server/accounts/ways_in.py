"""Who would lose their last way in, were a grant not there: shown before it is revoked. Counts, no names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import GrantId

_LAST = sa.text(
    """
WITH losing AS (
  SELECT DISTINCT p.id, p.kind FROM identity i JOIN person p ON p.id = i.person_id
  WHERE i.grant_id = :grant AND i.ended_at IS NULL AND NOT EXISTS (
    SELECT FROM identity o JOIN grants g ON g.id = o.grant_id
    WHERE o.person_id = i.person_id AND o.grant_id <> :grant AND o.ended_at IS NULL
      AND g.state = 'active' AND 'signin' = ANY (g.uses)))
SELECT count(*) FILTER (WHERE kind = 'pupil'), count(*) FILTER (WHERE kind = 'staff'),
  (SELECT count(DISTINCT m.section_id) FROM membership m JOIN losing l ON l.id = m.person_id WHERE m.ended_at IS NULL)
FROM losing
"""
)
_ENDING = sa.text(
    "SELECT count(*) FILTER (WHERE role = 'pupil'), count(*) FILTER (WHERE role = 'teacher') FROM membership"
    " WHERE grant_id = :grant AND ended_at IS NULL"
)
_SESSIONS = sa.text("SELECT count(*) FROM session WHERE grant_id = :grant AND ended_at IS NULL AND expires_at > now()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Losing:
    """What would end: people without another way in, the sections they are in, memberships, sessions."""

    pupils: int
    staff: int
    sections: int
    pupil_memberships: int
    teacher_memberships: int
    sessions: int

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def losing(connection: Connection, grant_id: GrantId) -> Losing:
    """What a grant of the entered district alone supports now."""
    pupils, staff, sections = connection.execute(_LAST, {"grant": grant_id}).one()
    pupil_memberships, teacher_memberships = connection.execute(_ENDING, {"grant": grant_id}).one()
    return Losing(
        pupils=pupils, staff=staff, sections=sections, pupil_memberships=pupil_memberships,
        teacher_memberships=teacher_memberships,
        sessions=connection.execute(_SESSIONS, {"grant": grant_id}).scalar_one(),
    )  # fmt: skip
