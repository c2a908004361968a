"""What retention looks for: fields by their age."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

HERE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().connection.cursor().execute((HERE / "0004_retention.sql").read_text(encoding="utf-8"))
