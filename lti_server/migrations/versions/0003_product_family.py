"""Which product a platform says that it is."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

HERE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().connection.cursor().execute((HERE / "0003_product_family.sql").read_text(encoding="utf-8"))
