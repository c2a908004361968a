"""What becomes of grades on their way when a grant is withdrawn. Progress itself is the pupil's and stays."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy.grant_states import Use
from lti_server.privacy.participants import Done, Withdrawal

_CARRY = sa.text(
    "UPDATE grade_delivery SET epoch = :epoch WHERE grant_id = :grant AND epoch = :epoch - 1 AND state = 'queued'"
)
_CANCEL_JOBS = sa.text(
    "SELECT procrastinate_cancel_job_v1(j.id, false, true) FROM procrastinate_jobs j JOIN grade_delivery d"
    " ON d.grant_id = :grant AND d.epoch < :epoch AND d.state = 'queued'"
    " AND j.args ->> 'delivery_id' = d.id::text WHERE j.status = 'todo'"
)
_PARK = sa.text(
    "UPDATE grade_delivery SET state = 'parked', settled_at = :at,"
    " reason = 'The connection to this LMS was withdrawn after this score was earned.'"
    " WHERE grant_id = :grant AND epoch < :epoch AND state = 'queued'"
)


class Grades:
    """Scores that wait for an LMS, and the jobs that would send them."""

    name = "grades"

    def carry_on(self, connection: Connection, withdrawal: Withdrawal) -> None:
        """Grades go back as long as pupils launch."""
        if Use.SIGN_IN in withdrawal.left:
            connection.execute(_CARRY, {"grant": withdrawal.grant_id, "epoch": withdrawal.epoch})

    def on_revoked(self, connection: Connection, withdrawal: Withdrawal) -> Done:
        """Cancel what is queued: a score of a former epoch is never sent."""
        values = {"grant": withdrawal.grant_id, "epoch": withdrawal.epoch, "at": withdrawal.at}
        jobs = len(connection.execute(_CANCEL_JOBS, values).all())
        return Done(counts={"jobs": jobs, "scores": connection.execute(_PARK, values).rowcount})
