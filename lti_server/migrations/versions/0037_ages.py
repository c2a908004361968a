"""How old people are, in whole years on a day, and what a district states of a school."""

from pathlib import Path

from alembic import context, op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
