"""Tokens that a provider can take back, kept until they are over or somebody disconnects it."""

from pathlib import Path

from alembic import context, op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
