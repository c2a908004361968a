"""Tables of people, their fields and identities, and invitations; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

person = sa.Table(
    "person",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("wrapped_key", sa.LargeBinary),
    sa.Column("key_destroyed_at", UTC),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("merged_into", sa.ForeignKey("person.id")),
    sa.Index("ix_person_district_id", "district_id"),
    sa.Index("ix_person_merged_into", "merged_into", postgresql_where=sa.text("merged_into IS NOT NULL")),
)

person_field = sa.Table(
    "person_field",
    metadata,
    sa.Column("district_id", sa.Uuid, nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("ciphertext", sa.LargeBinary),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("lookup", sa.LargeBinary),
    sa.Column("run_id", sa.Uuid),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("collected_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("person_id", "field", "grant_id"),
    sa.Index("ix_person_field_district_id_collected_at", "district_id", "collected_at"),
    sa.Index(
        "ix_person_field_lookup",
        "district_id",
        "field",
        "lookup",
        postgresql_where=sa.text("lookup IS NOT NULL"),
    ),
)

person_age = sa.Table(
    "person_age",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Column("recorded_at", UTC, nullable=False),
    sa.Index(
        "person_age_is_said_once", "person_id", "source", "grant_id", unique=True, postgresql_nulls_not_distinct=True
    ),
)

age_statement = sa.Table(
    "age_statement",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("school", sa.Text, nullable=False),
    sa.Column("years", sa.Integer, nullable=False),
    sa.Column("stated_on", sa.Date, nullable=False),
    sa.Column("stated_by", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("district_id", "school"),
)

identity = sa.Table(
    "identity",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("subject_hash", sa.LargeBinary, nullable=False),
    sa.Column("subject", sa.LargeBinary),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("ended_at", UTC),
    sa.Column("held_at", UTC),
    sa.Column("sealed_token", sa.LargeBinary),
    sa.Column("token_expires_at", UTC),
    sa.Column("seen_on", sa.Date),
    sa.Index(
        "ix_identity_token_expires_at",
        "token_expires_at",
        postgresql_where=sa.text("token_expires_at IS NOT NULL"),
    ),
    sa.Index(
        "identity_is_one_person",
        "district_id",
        "issuer",
        "client_id",
        "subject_hash",
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index("ix_identity_person_id", "person_id"),
    sa.Index("ix_identity_subject_hash", "subject_hash"),
)

invitation = sa.Table(
    "invitation",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.Uuid),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("used_at", UTC),
    sa.UniqueConstraint("token_hash", name="uq_invitation_token_hash"),
)

block = sa.Table(
    "block",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), index=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", UTC, nullable=False),
    sa.Column("lifted_by", sa.Text),
    sa.Column("lifted_at", UTC),
)

block_alias = sa.Table(
    "block_alias",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("block_id", sa.ForeignKey("block.id"), nullable=False, index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("district_id", "hash", "block_id"),
)

correction = sa.Table(
    "correction",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    sa.Column("corrected_by", sa.Text, nullable=False),
    sa.Column("corrected_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("person_id", "field"),
    sa.Index("ix_correction_district_id_corrected_at", "district_id", "corrected_at"),
)

disclosure_restriction = sa.Table(
    "disclosure_restriction",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("recipients", sa.Text, nullable=False),
    sa.Column("restricted_by", sa.Text, nullable=False),
    sa.Column("restricted_at", UTC, nullable=False),
    sa.PrimaryKeyConstraint("person_id", "recipients"),
)

staff_access = sa.Table(
    "staff_access",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("session_id", sa.Uuid, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("opened_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False, index=True),
)

provider_application = sa.Table(
    "provider_application",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("connected_at", UTC, nullable=False),
    sa.Column("connected_by", sa.Text, nullable=False),
    sa.Column("tenants_looked_at", UTC),
)

provider_connection = sa.Table(
    "provider_connection",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("grant_id", sa.ForeignKey("grants.id"), nullable=False, unique=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("connected_at", UTC, nullable=False),
    sa.Column("connected_by", sa.Text, nullable=False),
    sa.Column("ended_at", UTC),
    sa.Column("tenants_looked_at", UTC),
    sa.Column("tenants_read_at", UTC),
    sa.Column("tenants_unread", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tenant_missing_at", UTC),
    sa.Index("ix_provider_connection_district_id_provider", "district_id", "provider"),
)

link_intent = sa.Table(
    "link_intent",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("intent_hash", sa.LargeBinary, nullable=False),
    sa.Column("person_id", sa.ForeignKey("person.id"), nullable=False, index=True),
    sa.Column("session_id", sa.Uuid, nullable=False, index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False, index=True),
    sa.Column("used_at", UTC),
    sa.Column("found_person_id", sa.ForeignKey("person.id")),
    sa.Column("confirm_until", UTC),
    sa.Column("settled_at", UTC),
    sa.UniqueConstraint("intent_hash", name="uq_link_intent_intent_hash"),
)

merge_ledger = sa.Table(
    "merge_ledger",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("from_person_id", sa.ForeignKey("person.id"), nullable=False),
    sa.Column("to_person_id", sa.ForeignKey("person.id"), nullable=False, index=True),
    sa.Column("way", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", UTC, nullable=False),
    sa.Column("undo_until", UTC, nullable=False),
    sa.Column("moved", pg.JSONB),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("undone_by", sa.Text),
    sa.Column("undone_at", UTC),
    sa.Index(
        "merge_ledger_merges_once",
        "from_person_id",
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
    ),
    sa.Index("ix_merge_ledger_district_id_made_at", "district_id", "made_at"),
)

tenant_claim = sa.Table(
    "tenant_claim",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False, index=True),
    sa.Column("session_id", sa.Uuid, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text),
    sa.Column("refused", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
)

confidence_promise = sa.Table(
    "confidence_promise",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), index=True),
    sa.Column("session_id", sa.Uuid, nullable=False, index=True),
    sa.Column("invitation_id", sa.Uuid, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("text_hash", sa.LargeBinary, nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("promised_at", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
)
