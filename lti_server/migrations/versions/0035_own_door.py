"""People who register themselves: where they may, and one-time codes."""

from pathlib import Path

from alembic import context, op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
