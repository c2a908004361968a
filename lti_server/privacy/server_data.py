"""What the layers below the features keep: the directory, mail that waits, and the queue of jobs."""

from __future__ import annotations

from types import MappingProxyType

from lti_server.privacy.holdings import Table, nobody, passing
from lti_server.privacy.participants import Declared

_QUEUE = "jobs: their arguments are ids of ours and numbers (tasks.Queue)"


SERVER_DATA = Declared(
    name="server",
    tables=(
        Table(name="alembic_version", columns=nobody("version_num", "the revision of the schema")),
        Table(
            name="directory",
            columns=nobody(
                "kind key_hash district_id target_id expires_at created_at", "keyed hashes that find a tenant"
            ),
        ),
        Table(
            name="mail_message",
            columns=MappingProxyType(
                {
                    **nobody("id district_id state queued_at settled_at", "that a message waits or went"),
                    **passing("sealed", "address and text, sealed; gone once it is sent, and after three days"),
                }
            ),
        ),
        Table(
            name="procrastinate_jobs",
            columns=nobody(
                "id queue_name task_name priority lock queueing_lock args status scheduled_at attempts"
                " abort_requested worker_id",
                _QUEUE,
            ),
        ),
        Table(name="procrastinate_events", columns=nobody("id job_id type at", _QUEUE)),
        Table(
            name="procrastinate_periodic_defers",
            columns=nobody("id task_name defer_timestamp job_id periodic_id", _QUEUE),
        ),
        Table(name="procrastinate_workers", columns=nobody("id last_heartbeat", _QUEUE)),
    ),
)
