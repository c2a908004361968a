"""The population that a contract names for a provider."""

from pathlib import Path

from alembic import context, op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run(script.replace("{role}", context.config.attributes["role"]))
