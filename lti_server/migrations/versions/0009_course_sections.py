"""Courses that their platform divides into sections, and how changes of their members are told."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"

HERE = Path(__file__).parent


def upgrade() -> None:
    op.get_bind().connection.cursor().execute((HERE / "0009_course_sections.sql").read_text(encoding="utf-8"))
