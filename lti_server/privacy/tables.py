"""Tables of the tenant, its contracts and grants, and the log; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

instance_key = sa.Table(
    "instance_key",
    metadata,
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
)

district = sa.Table(
    "district",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("country", sa.Text, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("data_key", sa.LargeBinary, nullable=False),
    sa.Column("pepper", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
)

contract = sa.Table(
    "contract",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("family", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("policy_hash", sa.Text, nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_to", sa.Date, nullable=False),
    sa.Column("signed_at", UTC, nullable=False),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="signed"),
    sa.Column("amends", sa.ForeignKey("contract.id")),
    sa.Column("parent_contract_id", sa.Uuid),
    sa.Column("parent_policy_hash", sa.Text),
    sa.UniqueConstraint("district_id", "version"),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="1"),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("ended_at", UTC),
    sa.Column("uses", pg.ARRAY(sa.Text), nullable=False, server_default="{signin,roster}"),
    sa.Column("narrowed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("suspended_on", sa.Text),
)

grant_section = sa.Table(
    "grant_section",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("section_id", sa.ForeignKey("section.id"), nullable=False, index=True),
    sa.PrimaryKeyConstraint("grant_id", "section_id"),
)

contract_population = sa.Table(
    "contract_population",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("population", pg.JSONB, nullable=False),
    sa.PrimaryKeyConstraint("district_id", "provider"),
)

revocation = sa.Table(
    "revocation",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("uses", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("reason", sa.LargeBinary),
    sa.Column("requested_at", UTC, nullable=False),
    sa.Column("acknowledged_at", UTC),
    sa.Column("dispose_by", sa.Date),
    sa.Column("adopted_by_grant_id", sa.ForeignKey("grants.id")),
    sa.UniqueConstraint("grant_id", "epoch"),
    sa.Index("ix_revocation_open", "requested_at", postgresql_where=sa.text("acknowledged_at IS NULL")),
)

disposition = sa.Table(
    "disposition",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("grant_id", sa.ForeignKey("grants.id")),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("requested_at", UTC, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("clause", sa.Text, nullable=False),
    sa.Column("returned", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("done_at", UTC),
    sa.Column("did", pg.JSONB, nullable=False, server_default="{}"),
    sa.Column("backups_until", sa.Date),
    sa.Index(
        "disposition_is_open_once",
        "district_id",
        "grant_id",
        unique=True,
        postgresql_where=sa.text("state <> 'done'"),
        postgresql_nulls_not_distinct=True,
    ),
)

revocation_receipt = sa.Table(
    "revocation_receipt",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("revocation_id", sa.ForeignKey("revocation.id"), nullable=False, index=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("participant", sa.Text, nullable=False),
    sa.Column("at", UTC, nullable=False),
    sa.Column("did", pg.JSONB, nullable=False),
    sa.Column("last_read_at", UTC),
    sa.Column("last_send_at", UTC),
)

upstream_revocation = sa.Table(
    "upstream_revocation",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("revocation_id", sa.ForeignKey("revocation.id"), index=True),
    sa.Column("grant_id", sa.ForeignKey("grants.id")),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("queued_at", UTC, nullable=False),
    sa.Column("until", UTC, nullable=False),
    sa.Column("settled_at", UTC),
    sa.Index("ix_upstream_revocation_grant_id", "grant_id", postgresql_where=sa.text("grant_id IS NOT NULL")),
)

provider_signal = sa.Table(
    "provider_signal",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("signal_hash", sa.LargeBinary, nullable=False),
    sa.Column("received_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("district_id", "provider", "signal_hash"),
)

signal_receipt = sa.Table(
    "signal_receipt",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False, index=True),
    sa.Column("person_id", sa.ForeignKey("person.id")),
    sa.Column("case_id", sa.Uuid),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("sessions", sa.Integer, nullable=False),
    sa.Column("occurred_at", UTC, nullable=False),
    sa.Column("received_at", UTC, nullable=False),
    sa.Column("acted_at", UTC, nullable=False),
    sa.Column("erased_at", UTC),
    sa.Column("expires_at", UTC, nullable=False, index=True),
    sa.Index("ix_signal_receipt_person_id", "person_id", postgresql_where=sa.text("person_id IS NOT NULL")),
)

log_entry = sa.Table(
    "log_entry",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("district_id", sa.Uuid, nullable=False),
    sa.Column("at", UTC, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("object_id", sa.Uuid),
    sa.Column("elements", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("population", sa.Text, nullable=False, server_default=""),
    sa.Column("interest", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_log_entry_district_id_at", "district_id", "at"),
    sa.Index("ix_log_entry_object_id", "object_id", postgresql_where=sa.text("object_id IS NOT NULL")),
    sa.Index("ix_log_entry_population", "population", "at", postgresql_where=sa.text("population LIKE '%:%'")),
    sa.Index(
        "ix_log_entry_actor",
        "actor",
        postgresql_where=sa.text(
            "actor LIKE 'person:%' AND (object_id IS NULL OR actor <> 'person:' || object_id::text)"
        ),
    ),
)

log_link = sa.Table(
    "log_link",
    metadata,
    sa.Column("district_id", sa.Uuid, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("entry_id", sa.BigInteger, nullable=False, unique=True),
    sa.Column("sealed_at", UTC, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

log_pending = sa.Table(
    "log_pending",
    metadata,
    sa.Column("district_id", sa.Uuid, primary_key=True),
    sa.Column("entry_id", sa.BigInteger, primary_key=True),
)

document_key = sa.Table(
    "document_key",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("public_jwk", pg.JSONB, nullable=False),
    sa.Column("wrapped_private", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("retired_at", UTC),
    sa.Index(
        "document_key_signs",
        "retired_at",
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    ),
)

erasure = sa.Table(
    "erasure",
    metadata,
    sa.Column("person_id", sa.ForeignKey("person.id"), primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("keeps_grades", sa.Boolean, nullable=False),
    sa.Column("requested_at", UTC, nullable=False),
    sa.Column("erased_at", UTC),
    sa.Index("ix_erasure_open", "requested_at", postgresql_where=sa.text("erased_at IS NULL")),
)

erasure_receipt = sa.Table(
    "erasure_receipt",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("erasure.person_id"), nullable=False, index=True),
    sa.Column("participant", sa.Text, nullable=False),
    sa.Column("at", UTC, nullable=False),
    sa.Column("did", pg.JSONB, nullable=False),
)

policy_version = sa.Table(
    "policy_version",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("acts_on", sa.Date, nullable=False),
    sa.Column("material", sa.Boolean, nullable=False),
    sa.Column("purposes", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("summary_en", sa.Text, nullable=False),
    sa.Column("summary_fr", sa.Text, nullable=False),
    sa.Column("announced_at", UTC, nullable=False),
    sa.UniqueConstraint("version", name="uq_policy_version_version"),
)

consent = sa.Table(
    "consent",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("given_as", sa.Text, nullable=False),
    sa.Column("policy_hash", sa.Text, nullable=False),
    sa.Column("notice_version", sa.Integer, nullable=False),
    sa.Column("given_at", UTC, nullable=False),
    sa.Column("withdrawn_at", UTC),
    sa.Index(
        "consent_stands_once", "person_id", "purpose", unique=True, postgresql_where=sa.text("withdrawn_at IS NULL")
    ),
)

guardian_request = sa.Table(
    "guardian_request",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("received_at", UTC, nullable=False),
    sa.Column("due_on", sa.Date),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("answered_at", UTC),
    sa.Column("answered_by", sa.Text),
    sa.Index("ix_guardian_request_district_id_received_at", "district_id", "received_at"),
)

own_request = sa.Table(
    "own_request",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("wish", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("received_at", UTC, nullable=False),
    sa.Column("due_on", sa.Date),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("answered_at", UTC),
    sa.Column("answered_by", sa.Text),
    sa.Index("ix_own_request_district_id_received_at", "district_id", "received_at"),
    sa.Index("ix_own_request_person_id", "person_id"),
)
