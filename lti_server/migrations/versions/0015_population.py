"""A grant may be narrowed to some sections; who is outside is told of, and let in, no more."""

from pathlib import Path

from alembic import context, op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
