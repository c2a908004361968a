"""Fields of people past their time: taken away, so that the next launch or roster brings what it may, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy import schedule
from lti_server.privacy.retention import Retention

_STALE_FIELDS = sa.text(
    """
WITH stale AS (
  SELECT f.person_id, f.field, f.grant_id FROM person_field f JOIN person p ON p.id = f.person_id
  WHERE p.kind = :kind AND f.field = ANY(:fields) AND f.collected_at < :before
  ORDER BY f.collected_at LIMIT :most)
DELETE FROM person_field f USING stale
WHERE (f.person_id, f.field, f.grant_id) = (stale.person_id, stale.field, stale.grant_id)
"""
)
_STALE_CORRECTIONS = sa.text(
    """
WITH stale AS (
  SELECT c.person_id, c.field FROM correction c JOIN person p ON p.id = c.person_id
  WHERE p.kind = :kind AND c.field = ANY(:fields) AND c.corrected_at < :before
  ORDER BY c.corrected_at LIMIT :most)
DELETE FROM correction c USING stale WHERE (c.person_id, c.field) = (stale.person_id, stale.field)
"""
)
# Each launch and each read of the class brings a pupil's id again, so a live membership keeps it. Without the id the
# keyed hash stays, by which the pupil is found again; no grade goes back then (design 6.4).
_STALE_SUBJECTS = sa.text(
    """
WITH stale AS (
  SELECT i.id FROM identity i JOIN person p ON p.id = i.person_id
  WHERE p.kind = :kind AND i.subject IS NOT NULL AND i.created_at < :before
    AND (:dropped OR NOT EXISTS (
      SELECT FROM membership m WHERE m.person_id = i.person_id AND m.grant_id = i.grant_id AND m.ended_at IS NULL))
  ORDER BY i.created_at LIMIT :most)
UPDATE identity i SET subject = NULL FROM stale WHERE i.id = stale.id
"""
)


class KeptFields:
    """The keeper of names, ids and the like, of pupils and of educators."""

    def purge(self, connection: Connection, retention: Retention, most: int) -> Mapping[str, int]:
        """Fields whose days are over, and those that the contract does not store (any more)."""
        counts: dict[str, int] = {}
        for element in sorted(schedule.ELEMENTS):
            before = retention.collected_before(element)
            fields = schedule.stored_fields(element)
            gone = _fields(connection, "pupil", sorted(fields), before, most)
            if element == schedule.APP_ID:
                dropped = element not in retention.policy.retain_days
                gone += _subjects(connection, "pupil", before, dropped=dropped, most=most)
            counts[element] = gone
        for element in sorted(schedule.EDUCATOR_ELEMENTS):
            if retention.drops_of_educators(element):
                fields = schedule.stored_educator_fields(element)
                gone = _fields(connection, "staff", sorted(fields), retention.now, most)
                if element == "identifier":
                    gone += _subjects(connection, "staff", retention.now, dropped=True, most=most)
                counts[f"educator.{element}"] = gone
        return counts


def _fields(connection: Connection, kind: str, fields: Sequence[str], before: datetime, most: int) -> int:
    if not fields:
        return 0
    values = {"kind": kind, "fields": list(fields), "before": before, "most": most}
    gone = connection.execute(_STALE_FIELDS, values).rowcount
    return gone + connection.execute(_STALE_CORRECTIONS, values).rowcount


def _subjects(connection: Connection, kind: str, before: datetime, *, dropped: bool, most: int) -> int:
    values = {"kind": kind, "before": before, "dropped": dropped, "most": most}
    return connection.execute(_STALE_SUBJECTS, values).rowcount
