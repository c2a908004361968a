"""When the list of tenants of an operator's application was last looked at, whatever came of it."""

from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    # For those who watch over the server: a list that nobody looks at says nothing, and so suspends nobody.
    op.execute("ALTER TABLE provider_application ADD COLUMN tenants_looked_at timestamptz")
