"""Tables of those who register themselves and sign in by a code; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa

from lti_server.db import metadata

UTC = sa.DateTime(timezone=True)

registration_desk = sa.Table(
    "registration_desk",
    metadata,
    sa.Column("district_id", sa.ForeignKey("district.id"), primary_key=True),
    sa.Column("opened_at", UTC, nullable=False),
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("closed_at", UTC),
    sa.Column("closed_by", sa.Text),
)

email_code = sa.Table(
    "email_code",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.ForeignKey("district.id"), nullable=False),
    sa.Column("way", sa.Text, nullable=False),
    sa.Column("browser_hash", sa.LargeBinary, nullable=False),
    sa.Column("address_hash", sa.LargeBinary, nullable=False),
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", UTC, nullable=False),
    sa.Column("open_until", UTC, nullable=False),
    sa.Column("expires_at", UTC, nullable=False),
    sa.Column("used_at", UTC),
    sa.Index("ix_email_code_browser_hash", "district_id", "browser_hash", "created_at"),
    sa.Index("ix_email_code_address_hash", "district_id", "address_hash", "created_at"),
    sa.Index("ix_email_code_expires_at", "expires_at"),
)
