"""Lists of tenants: when each connection's was last looked at, and on what evidence a grant is suspended."""

from alembic import op

revision = "0031"
down_revision = "0025"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE grants ADD COLUMN suspended_on text"
        " CONSTRAINT ck_grants_suspended_on CHECK (suspended_on IN ('tenant_missing', 'tenants_unread'))"
    )
    # Looked at: whether or not it could be read. Missing: since the first whole list without this tenant, which was
    # acted on then; whoever resumes the connection meanwhile is not overruled by the same list.
    op.execute("ALTER TABLE provider_connection ADD COLUMN tenants_looked_at timestamptz")
    op.execute("ALTER TABLE provider_connection ADD COLUMN tenants_read_at timestamptz")
    op.execute("ALTER TABLE provider_connection ADD COLUMN tenants_unread integer NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE provider_connection ADD COLUMN tenant_missing_at timestamptz")
