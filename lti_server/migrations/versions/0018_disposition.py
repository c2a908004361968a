"""Directives for disposition (NDPA Exhibit D): what is to go, by when, by which clause, and what went."""

from pathlib import Path

from alembic import context, op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
