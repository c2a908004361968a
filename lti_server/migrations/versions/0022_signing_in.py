"""Providers that people sign in with: applications, connections, and sessions by an identity."""

from pathlib import Path

from alembic import context, op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
