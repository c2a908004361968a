"""Progress past its time: attempts, summaries, grades that were delivered, and the work and answers within them."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy import schedule
from lti_server.privacy.retention import Retention

_EVENTS = sa.text(
    "DELETE FROM progress_event WHERE id IN (SELECT id FROM progress_event WHERE received_at < :before"
    " ORDER BY received_at LIMIT :most)"
)
_SUMMARIES = sa.text(
    "DELETE FROM progress_summary WHERE (person_id, lesson_id, activity_id) IN ("
    "SELECT person_id, lesson_id, activity_id FROM progress_summary WHERE last_at < :before"
    " ORDER BY last_at LIMIT :most)"
)
_GRADES = sa.text(
    "DELETE FROM grade_delivery WHERE id IN (SELECT id FROM grade_delivery WHERE queued_at < :before"
    " ORDER BY queued_at LIMIT :most)"
)
_WORK = sa.text(
    "UPDATE progress_event SET work = NULL, answers = NULL WHERE id IN (SELECT id FROM progress_event"
    " WHERE received_at < :before AND (work IS NOT NULL OR answers IS NOT NULL) ORDER BY received_at LIMIT :most)"
)


class KeptProgress:
    """The keeper of attempts and what was made in them."""

    def purge(self, connection: Connection, retention: Retention, most: int) -> Mapping[str, int]:
        """Attempts whose days are over; work and answers may have fewer days than the attempt that they came with."""

        def gone(statement: sa.TextClause, element: str) -> int:
            values = {"before": retention.collected_before(element), "most": most}
            return connection.execute(statement, values).rowcount

        performance = sum(gone(statement, schedule.PERFORMANCE) for statement in (_EVENTS, _SUMMARIES, _GRADES))
        return {schedule.PERFORMANCE: performance, schedule.WORK: gone(_WORK, schedule.WORK)}
