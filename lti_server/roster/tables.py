"""Tables of sections, memberships and roster runs; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

section = sa.Table(
    "section",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("source_scope", sa.Text, nullable=False),
    sa.Column("source_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("school", sa.Text),
    sa.Column("memberships_url", sa.Text),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("archived_at", UTC),
    sa.Column("course_section_id", sa.ForeignKey("section.id")),
    sa.Column("division", sa.Text, nullable=False, server_default=sa.text("'none'")),
    sa.Column("differences_url", sa.Text),
    sa.Column("read_whole_at", UTC),
    sa.UniqueConstraint("grant_id", "source_scope", "source_id", name="uq_section_grant_id_source_scope_source_id"),
    sa.Index("ix_section_district_id", "district_id"),
    sa.Index(
        "ix_section_course_section_id",
        "course_section_id",
        postgresql_where=sa.text("course_section_id IS NOT NULL"),
    ),
)

roster_run = sa.Table(
    "roster_run",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("counts", pg.JSONB, nullable=False),
    sa.Column("holds", pg.JSONB, nullable=False),
    sa.Column("refused_fields", pg.JSONB, nullable=False),
    sa.Column("detail", sa.Text),
    sa.Column("started_at", UTC, nullable=False),
    sa.Column("finished_at", UTC),
    sa.Index("ix_roster_run_district_id_started_at", "district_id", "started_at"),
)

membership = sa.Table(
    "membership",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("section_id", sa.ForeignKey("section.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("run_id", sa.ForeignKey("roster_run.id")),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("started_at", UTC, nullable=False),
    sa.Column("ended_at", UTC),
    sa.Column("ended_by_run_id", sa.ForeignKey("roster_run.id")),
    sa.Index(
        "membership_is_live_once",
        "section_id",
        "person_id",
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index("ix_membership_person_id", "person_id"),
)
