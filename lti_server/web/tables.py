"""Tables of sessions and of the tokens that a lesson holds; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

session = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.Uuid),
    sa.Column("person_id", sa.ForeignKey("person.id")),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id")),
    sa.Column("grant_epoch", sa.Integer),
    sa.Column("membership_id", sa.ForeignKey("membership.id")),
    sa.Column("resource_link_id", sa.ForeignKey("resource_link.id")),
    sa.Column("lesson_id", sa.Text),
    sa.Column("activity_id", sa.Text),
    sa.Column("locale", sa.Text),
    sa.Column("ticket_hash", sa.LargeBinary),
    sa.Column("ticket_expires_at", UTC),
    sa.Column("ticket_used_at", UTC),
    sa.Column("cookie_hash", sa.LargeBinary),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("ended_at", UTC),
    sa.Column("identity_id", sa.ForeignKey("identity.id")),
    sa.Column("last_seen_at", UTC),
    sa.Column("provider_session_hash", sa.LargeBinary),
    sa.UniqueConstraint("ticket_hash", name="uq_session_ticket_hash"),
    sa.UniqueConstraint("cookie_hash", name="uq_session_cookie_hash"),
    sa.Index("ix_session_person_id", "person_id"),
    sa.Index("ix_session_expires_at", "expires_at"),
    sa.Index(
        "ix_session_provider_session_hash",
        "provider_session_hash",
        postgresql_where=sa.text("provider_session_hash IS NOT NULL"),
    ),
    sa.Index("ix_session_identity_id", "identity_id", postgresql_where=sa.text("identity_id IS NOT NULL")),
)

lesson_token = sa.Table(
    "lesson_token",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("session_id", sa.ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Index("ix_lesson_token_session_id", "session_id"),
)
