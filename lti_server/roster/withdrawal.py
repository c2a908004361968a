"""What becomes of rosters when a grant is withdrawn: what it alone supported ends, and nothing is read any more."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy.grant_states import Use
from lti_server.privacy.participants import Done, Withdrawal

_END_MEMBERSHIPS = sa.text(
    "UPDATE membership SET ended_at = :at WHERE grant_id = :grant AND ended_at IS NULL"
    " AND (:whole OR source = 'roster')"
)
# A section stays open as long as somebody is in it by another grant.
_CLOSE_SECTIONS = sa.text(
    "UPDATE section SET archived_at = :at WHERE grant_id = :grant AND archived_at IS NULL AND NOT EXISTS"
    " (SELECT FROM membership m WHERE m.section_id = section.id AND m.ended_at IS NULL)"
)
# Of a narrowed grant: what it does not reach any more (privacy/population.py).
_END_OUTSIDE = sa.text(
    "UPDATE membership SET ended_at = :at WHERE grant_id = :grant AND ended_at IS NULL"
    " AND NOT grant_reaches(:grant, section_id)"
)
_CLOSE_OUTSIDE = sa.text(
    "UPDATE section SET archived_at = :at WHERE grant_id = :grant AND archived_at IS NULL"
    " AND NOT grant_reaches(:grant, id) AND NOT EXISTS"
    " (SELECT FROM membership m WHERE m.section_id = section.id AND m.ended_at IS NULL)"
)
_END_RUNS = sa.text(
    "UPDATE roster_run SET state = 'failed', detail = 'The connection was withdrawn; nothing was changed.',"
    " finished_at = :at WHERE grant_id = :grant AND state IN ('running', 'planned', 'held')"
)
# A run that failed may have read a page before it did.
_LAST_READ = sa.text(
    "SELECT greatest(max(started_at), max(finished_at) FILTER (WHERE state <> 'failed')) FROM roster_run"
    " WHERE grant_id = :grant"
)
_CANCEL_JOBS = sa.text(
    "SELECT procrastinate_cancel_job_v1(j.id, false, true) FROM procrastinate_jobs j JOIN section s"
    " ON s.grant_id = :grant AND j.args ->> 'section_id' = s.id::text WHERE j.status = 'todo'"
)


class Rosters:
    """Memberships, sections, runs and the jobs that would read."""

    name = "roster"

    def carry_on(self, connection: Connection, withdrawal: Withdrawal) -> None:
        """What a launch told stays with the launches."""

    def on_revoked(self, connection: Connection, withdrawal: Withdrawal) -> Done:
        """End memberships by this grant (by its rosters, where sign-in is left); they stay as history."""
        if withdrawal.narrowing:
            return Done(counts=self._narrowed(connection, withdrawal))
        if Use.ROSTER not in withdrawal.uses and not withdrawal.whole:
            return Done(counts={})
        values = {"grant": withdrawal.grant_id, "at": withdrawal.at, "whole": withdrawal.whole}
        read = connection.execute(_LAST_READ, values).scalar_one()  # before ending runs moves their times
        jobs = len(connection.execute(_CANCEL_JOBS, values).all())
        runs = connection.execute(_END_RUNS, values).rowcount
        memberships = connection.execute(_END_MEMBERSHIPS, values).rowcount
        sections = connection.execute(_CLOSE_SECTIONS, values).rowcount if withdrawal.whole else 0
        counts = {"jobs": jobs, "runs": runs, "memberships": memberships, "sections": sections}
        return Done(counts=counts, last_read_at=read)

    def _narrowed(self, connection: Connection, withdrawal: Withdrawal) -> dict[str, int]:
        values = {"grant": withdrawal.grant_id, "at": withdrawal.at}
        memberships = connection.execute(_END_OUTSIDE, values).rowcount
        sections = connection.execute(_CLOSE_OUTSIDE, values).rowcount
        return {"memberships": memberships, "sections": sections}
