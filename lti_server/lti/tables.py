"""Tables of platforms, their keys, and resource links; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

registration = sa.Table(
    "registration",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("auth_login_url", sa.Text, nullable=False),
    sa.Column("auth_token_url", sa.Text, nullable=False),
    sa.Column("jwks_url", sa.Text, nullable=False),
    sa.Column("token_audience", sa.Text),
    sa.Column("shared_id", sa.Boolean, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("removed_at", UTC),
    sa.Column("product_family", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Index(
        "registration_is_live_once",
        "district_id",
        "issuer",
        "client_id",
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    ),
)

platform_invitation = sa.Table(
    "platform_invitation",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("claim", sa.Uuid),
    sa.Column("claimed_until", UTC),
    sa.Column("used_at", UTC),
    sa.Column("registration_id", sa.ForeignKey("registration.id")),
    sa.UniqueConstraint("token_hash", name="uq_platform_invitation_token_hash"),
)

deployment = sa.Table(
    "deployment",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("registration_id", sa.ForeignKey("registration.id"), nullable=False),
    sa.Column("deployment_id", sa.Text, nullable=False),
    sa.Column("anonymous", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", UTC, nullable=False),
    sa.UniqueConstraint("registration_id", "deployment_id", name="uq_deployment_registration_id_deployment_id"),
)

platform_keys = sa.Table(
    "platform_keys",
    metadata,
    sa.Column("registration_id", sa.ForeignKey("registration.id"), primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("jwks", pg.JSONB, nullable=False),
    sa.Column("fetched_at", UTC),
    sa.Column("unknown_kid_fetch_at", UTC),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("retry_at", UTC),
)

spent_nonce = sa.Table(
    "spent_nonce",
    metadata,
    sa.Column("district_id", sa.Uuid, nullable=False),
    sa.Column("nonce_hash", sa.LargeBinary, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("district_id", "nonce_hash"),
    sa.Index("ix_spent_nonce_expires_at", "expires_at"),
)

service_token = sa.Table(
    "service_token",
    metadata,
    sa.Column("registration_id", sa.ForeignKey("registration.id"), nullable=False),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("registration_id", "scopes"),
)

tool_key = sa.Table(
    "tool_key",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("public_jwk", pg.JSONB, nullable=False),
    sa.Column("wrapped_private", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("signs_from", UTC, nullable=False),
    sa.Column("retired_at", UTC),
)

deep_link_request = sa.Table(
    "deep_link_request",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("deployment_row_id", sa.ForeignKey("deployment.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("grant_epoch", sa.Integer, nullable=False),
    sa.Column("settings", sa.LargeBinary, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("choose_until", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("answered_at", UTC),
    sa.Index("ix_deep_link_request_expires_at", "expires_at"),
)

deep_link_item = sa.Table(
    "deep_link_item",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("lesson_id", sa.Text, nullable=False),
    sa.Column("activity_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
)

resource_link = sa.Table(
    "resource_link",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("deployment_row_id", sa.ForeignKey("deployment.id"), nullable=False),
    sa.Column("resource_link_id", sa.Text, nullable=False),
    sa.Column("section_id", sa.ForeignKey("section.id")),
    sa.Column("lesson_id", sa.Text, nullable=False),
    sa.Column("activity_id", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("title", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("lineitems_url", sa.Text),
    sa.Column("lineitem_url", sa.Text),
    sa.Column("ags_scopes", pg.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("deep_link_item_id", sa.ForeignKey("deep_link_item.id")),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("copied_from_id", sa.ForeignKey("resource_link.id")),
    sa.UniqueConstraint(
        "deployment_row_id", "resource_link_id", name="uq_resource_link_deployment_row_id_resource_link_id"
    ),
)

course_copy = sa.Table(
    "course_copy",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("deployment_row_id", sa.ForeignKey("deployment.id"), nullable=False),
    sa.Column("context_id", sa.Text, nullable=False),
    sa.Column("origin_context_id", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("recorded_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("deployment_row_id", "context_id", "origin_context_id"),
)

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("registration_id", sa.ForeignKey("registration.id"), nullable=False),
    sa.Column("deployment_row_id", sa.ForeignKey("deployment.id"), nullable=False),
    sa.Column("notice_id", sa.Text, nullable=False),
    sa.Column("notice_type", sa.Text, nullable=False),
    sa.Column("said", pg.JSONB, nullable=False),
    sa.Column("received_at", UTC, nullable=False),
    sa.Column("handled_at", UTC),
    sa.Column("expires_at", UTC, nullable=False),
    sa.UniqueConstraint("registration_id", "notice_id", name="uq_notice_registration_id_notice_id"),
    sa.Index("ix_notice_deployment_row_id_received_at", "deployment_row_id", "received_at"),
    sa.Index("ix_notice_expires_at", "expires_at"),
)

notice_handler = sa.Table(
    "notice_handler",
    metadata,
    sa.Column("deployment_row_id", sa.ForeignKey("deployment.id"), primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("service_url", sa.Text, nullable=False),
    sa.Column("notice_types", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("handler", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("asked_as", sa.Text),
    sa.Column("settled_at", UTC),
)
