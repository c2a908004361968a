"""What is kept of a pupil's work: attempts, what they add up to, and grades on their way to a gradebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import PersonId
from lti_server.privacy import schedule
from lti_server.privacy.holdings import DataSubject, Form, Table, about, element, nobody, rows_about

_PERFORMANCE = element(schedule.PERFORMANCE)
_WORK = element(schedule.WORK, form=Form.SEALED)
_TENANT = nobody("district_id", "the tenant")

EVENTS = Table(
    name="progress_event",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("id person_id attempt_id", "whose attempt"),
            **about("lesson_id activity_id membership_id grant_id", "at what, in which class, by which grant"),
            **dict.fromkeys(("score", "completed", "optimal", "duration_s", "occurred_at"), _PERFORMANCE),
            **dict.fromkeys(("work", "answers"), _WORK),
            **about("received_at", "when it came"),
            **nobody("epoch", "the epoch of the grant"),
            **_TENANT,
        }
    ),
)
SUMMARIES = Table(
    name="progress_summary",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("person_id lesson_id activity_id grant_id", "whose, at what, by which grant"),
            **dict.fromkeys(
                ("attempts", "best_score", "completed", "optimal", "first_completed_at", "last_at"), _PERFORMANCE
            ),
            **_TENANT,
        }
    ),
)
DELIVERIES = Table(
    name="grade_delivery",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("id person_id identity_id grant_id", "whose grade, and to whom it is sent"),
            **about("column_id", "to which column"),
            **dict.fromkeys(
                (
                    "score", "completed", "done", "activities", "score_at", "started_at", "submitted_at",
                    "may_stand",
                ),
                _PERFORMANCE,
            ),
            **about("state reason cleared new_submission", "how far it has come, and why it stays"),
            **about("queued_at settled_at delivered_at", "when"),
            **nobody("epoch attempted attempts", "the grant's epoch, and how often the sending was tried"),
            **_TENANT,
        }
    ),
)  # fmt: skip
COLUMNS = Table(
    name="grade_column",
    columns=nobody(
        "id district_id resource_link_id activity_id line_item_url created_at made label lineitems_url",
        "a column of a course's gradebook, for whoever is in it",
    ),
)

_CANCEL_JOBS = sa.text(
    "SELECT procrastinate_cancel_job_v1(j.id, false, true) FROM procrastinate_jobs j JOIN grade_delivery d"
    " ON d.person_id = :person AND j.args ->> 'delivery_id' = d.id::text WHERE j.status = 'todo'"
)
_LEFT = sa.text("SELECT count(*) FROM grade_delivery WHERE person_id = :person AND may_stand <> '{}'")
_DROP_DELIVERIES = sa.text("DELETE FROM grade_delivery WHERE person_id = :person")
_DROP_EVENTS = sa.text("DELETE FROM progress_event WHERE person_id = :person")
_DROP_SUMMARIES = sa.text("DELETE FROM progress_summary WHERE person_id = :person")


def cancel_jobs(connection: Connection, person_id: PersonId) -> int:
    """Take the jobs that would send a pupil's grades out of the queue."""
    return len(connection.execute(_CANCEL_JOBS, {"person": person_id}).all())


class ProgressData:
    """Attempts, summaries and grades."""

    name = "progress"
    tables: Sequence[Table] = (EVENTS, SUMMARIES, DELIVERIES, COLUMNS)

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Every attempt with what was made in it, and every grade."""
        return rows_about(connection, self.tables, subject)

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """Take away all of it. `left_in_gradebooks`: scores that stand in an LMS, which is the school's own."""
        mine = {"person": subject.person_id}
        jobs = cancel_jobs(connection, subject.person_id)
        left = connection.execute(_LEFT, mine).scalar_one()
        return {
            "jobs": jobs,
            "left_in_gradebooks": left,
            "grades": connection.execute(_DROP_DELIVERIES, mine).rowcount,
            "attempts": connection.execute(_DROP_EVENTS, mine).rowcount,
            "summaries": connection.execute(_DROP_SUMMARIES, mine).rowcount,
        }
