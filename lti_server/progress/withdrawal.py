"""What becomes of grades on their way when a grant is withdrawn. Progress itself is the pupil's and stays."""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import DistrictId, GrantId
from lti_server.privacy.grant_states import Use
from lti_server.privacy.participants import Done, Withdrawal
from lti_server.progress.outbox import TASK

_CARRY = sa.text(
    "UPDATE grade_delivery SET epoch = :epoch WHERE grant_id = :grant AND epoch = :epoch - 1 AND state = 'queued'"
    # Of a narrowed grant, those of sections that it reaches (privacy/population.py).
    " AND NOT EXISTS (SELECT FROM grade_column c JOIN resource_link l ON l.id = c.resource_link_id"
    " WHERE c.id = grade_delivery.column_id AND l.section_id IS NOT NULL"
    " AND NOT grant_reaches(:grant, l.section_id))"
    " AND (contract_reaches_person(:grant, person_id) OR EXISTS (SELECT FROM grade_column c JOIN resource_link l"
    " ON l.id = c.resource_link_id WHERE c.id = grade_delivery.column_id AND l.section_id IS NOT NULL))"
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


_LAST_SENT = sa.text(
    "SELECT max(settled_at) FROM grade_delivery WHERE grant_id = :grant AND state IN ('delivered', 'stale', 'regraded')"
)
_WAITING = sa.text(
    "SELECT d.id FROM grade_delivery d JOIN grants g ON g.id = d.grant_id AND g.epoch = d.epoch"
    " WHERE d.grant_id = :grant AND d.state = 'queued'"
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
        return Done(
            counts={"jobs": jobs, "scores": connection.execute(_PARK, values).rowcount},
            last_send_at=connection.execute(_LAST_SENT, values).scalar_one(),
        )


class Queue(Protocol):
    def defer(
        self, connection: Connection, task: str, *, lock: str, queueing_lock: str, district_id: str, delivery_id: str
    ) -> bool: ...


class Frozen:
    """Scores that were earned before a suspension, or while it lasted: they wait for its end."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def resume(self, connection: Connection, district_id: DistrictId, grant_id: GrantId) -> None:
        """A job for each, as `Outbox.defer` puts it; one that is there already stays the only one."""
        for delivery_id in connection.execute(_WAITING, {"grant": grant_id}).scalars().all():
            name = f"grade:{delivery_id}"
            self._queue.defer(
                connection, TASK, lock=name, queueing_lock=name, district_id=str(district_id),
                delivery_id=str(delivery_id),
            )  # fmt: skip
