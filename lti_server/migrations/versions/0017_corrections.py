"""What a district puts right by itself, and to whom nothing of a person may go."""

from pathlib import Path

from alembic import context, op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
