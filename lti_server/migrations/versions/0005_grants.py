"""Grants withdrawn in two phases: the states, the fence and the epoch held by the database; revocations, receipts."""

from pathlib import Path

from alembic import context, op

revision = "0005"
down_revision = "0004"

HERE = Path(__file__).parent


def upgrade() -> None:
    role = context.config.attributes["role"]
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run((HERE / "0005_grants.sql").read_text(encoding="utf-8").replace("{role}", role))
