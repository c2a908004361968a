"""Tables of attempts, summaries and the grade outbox; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

progress_event = sa.Table(
    "progress_event",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("attempt_id", sa.Uuid, nullable=False),
    sa.Column("lesson_id", sa.Text, nullable=False),
    sa.Column("activity_id", sa.Text, nullable=False),
    sa.Column("membership_id", sa.ForeignKey("membership.id")),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("completed", sa.Boolean, nullable=False),
    sa.Column("optimal", sa.Boolean),
    sa.Column("duration_s", sa.Double),
    sa.Column("work", sa.LargeBinary),
    sa.Column("answers", sa.LargeBinary),
    sa.Column("occurred_at", UTC, nullable=False),
    sa.Column("received_at", UTC, nullable=False),
    sa.UniqueConstraint("person_id", "attempt_id", name="uq_progress_event_person_id_attempt_id"),
    sa.Index("ix_progress_event_district_id_received_at", "district_id", "received_at"),
)

progress_summary = sa.Table(
    "progress_summary",
    metadata,
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("lesson_id", sa.Text, nullable=False),
    sa.Column("activity_id", sa.Text, nullable=False),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("best_score", sa.Double, nullable=False),
    sa.Column("completed", sa.Boolean, nullable=False),
    sa.Column("optimal", sa.Boolean, nullable=False),
    sa.Column("first_completed_at", UTC),
    sa.Column("last_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("person_id", "lesson_id", "activity_id"),
    sa.Index("ix_progress_summary_district_id", "district_id"),
)

grade_column = sa.Table(
    "grade_column",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("resource_link_id", sa.ForeignKey("resource_link.id"), nullable=False),
    sa.Column("activity_id", sa.Text, nullable=False),
    sa.Column("line_item_url", sa.Text),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("made", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("label", sa.Text),
    sa.Column("lineitems_url", sa.Text),
    sa.UniqueConstraint("resource_link_id", "activity_id", name="uq_grade_column_resource_link_id_activity_id"),
)

grade_delivery = sa.Table(
    "grade_delivery",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("column_id", sa.ForeignKey("grade_column.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("identity_id", sa.ForeignKey("identity.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("completed", sa.Boolean, nullable=False),
    sa.Column("score_at", UTC, nullable=False),
    sa.Column("attempted", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("queued_at", UTC, nullable=False),
    sa.Column("settled_at", UTC),
    sa.Column("cleared", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("done", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("activities", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("started_at", UTC),
    sa.Column("submitted_at", UTC),
    sa.Column("new_submission", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("may_stand", pg.ARRAY(sa.Double), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("delivered_at", UTC),
    sa.UniqueConstraint("column_id", "person_id", name="uq_grade_delivery_column_id_person_id"),
    sa.Index("ix_grade_delivery_queued", "district_id", "score_at", postgresql_where=sa.text("state = 'queued'")),
)
