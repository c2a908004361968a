"""Which product a platform says that it is."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

HERE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().connection.cursor().execute((HERE / "0002_product_family.sql").read_text(encoding="utf-8"))
