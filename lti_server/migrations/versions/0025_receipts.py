"""When something last came and went by a withdrawn connection, and when backups have forgotten what was disposed of."""

from alembic import context, op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    role = context.config.attributes["role"]
    op.execute("ALTER TABLE revocation_receipt ADD COLUMN last_read_at timestamptz")
    op.execute("ALTER TABLE revocation_receipt ADD COLUMN last_send_at timestamptz")
    op.execute("ALTER TABLE disposition ADD COLUMN backups_until date")
    op.execute(f"GRANT UPDATE (backups_until) ON disposition TO {role}")
