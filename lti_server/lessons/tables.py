"""The table of lessons that were added by file; the reasons stand in the migration."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from lti_server.db import metadata

lesson = sa.Table(
    "lesson",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("definition", pg.JSONB, nullable=False),
    sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
)
