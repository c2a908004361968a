"""Fields of people past their time: taken away, so that the next launch or roster brings what it may, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.age_words import hold_everybody
from lti_server.privacy import schedule
from lti_server.privacy.districts import District
from lti_server.privacy.retention import Retention

# Of whoever has registered themself the days count from the last sign-in: nobody else would tell it anew (last_use.py).
_STALE_FIELDS = sa.text(
    """
WITH stale AS (
  SELECT f.person_id, f.field, f.grant_id FROM person_field f JOIN person p ON p.id = f.person_id
  WHERE p.kind = :kind AND f.field = ANY(:fields) AND f.collected_at < :before
    AND NOT EXISTS (SELECT FROM identity i WHERE i.person_id = p.id AND i.seen_on > :day)
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
    AND NOT EXISTS (SELECT FROM identity i WHERE i.person_id = p.id AND i.seen_on > :day)
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


_NO_AGES = sa.text(
    "DELETE FROM person_age WHERE id IN (SELECT id FROM person_age ORDER BY recorded_at, id LIMIT :most)"
)
_NO_CORRECTED_AGES = sa.text(
    "DELETE FROM correction WHERE field = :field AND person_id IN"
    " (SELECT person_id FROM correction WHERE field = :field ORDER BY corrected_at, person_id LIMIT :most)"
)


class KeptAges:
    """The keeper of ages: they go with the contract that takes them, and with an age goes what it does not allow."""

    def __init__(self, district: Callable[[Connection], District]) -> None:
        self._district = district

    def purge(self, connection: Connection, retention: Retention, most: int) -> Mapping[str, int]:
        """Ages that the contract takes from nobody (any more), and addresses of children."""
        gone = 0
        if not retention.policy.age_from:
            gone += connection.execute(_NO_AGES, {"most": most}).rowcount
            gone += connection.execute(_NO_CORRECTED_AGES, {"field": ages.FIELD, "most": most}).rowcount
        district = self._district(connection)
        today = retention.now.astimezone(district.zone).date()
        return {schedule.BIRTH_DATE: gone, schedule.EMAIL: hold_everybody(connection, district, today, most)}


class KeptFields:
    """The keeper of names, ids, ages and the like, of pupils and of educators."""

    def __init__(self, district: Callable[[Connection], District]) -> None:
        self._ages = KeptAges(district)

    def purge(self, connection: Connection, retention: Retention, most: int) -> Mapping[str, int]:
        """Fields whose days are over, and those that the contract does not store (any more)."""
        by_age = self._ages.purge(connection, retention, most)
        counts: dict[str, int] = {}
        for element in sorted(schedule.ELEMENTS):
            before = retention.collected_before(element)
            fields = schedule.stored_fields(element)
            gone = _fields(connection, "pupil", sorted(fields), before, most)
            if element == schedule.APP_ID:
                dropped = element not in retention.policy.retain_days
                gone += _subjects(connection, "pupil", before, dropped=dropped, most=most)
            counts[element] = gone + by_age.get(element, 0)
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
    values = {"kind": kind, "fields": list(fields), "before": before, "day": before.date(), "most": most}
    gone = connection.execute(_STALE_FIELDS, values).rowcount
    return gone + connection.execute(_STALE_CORRECTIONS, values).rowcount


def _subjects(connection: Connection, kind: str, before: datetime, *, dropped: bool, most: int) -> int:
    values = {"kind": kind, "before": before, "dropped": dropped, "most": most}
    return connection.execute(_STALE_SUBJECTS, values).rowcount
