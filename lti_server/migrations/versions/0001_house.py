"""The house, its walls, and the job queue's own tables."""

from pathlib import Path

from alembic import context, op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None

HERE = Path(__file__).parent
QUEUE_RIGHTS = """
DO $$
DECLARE thing record;
BEGIN
  FOR thing IN SELECT relname, relkind FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE n.nspname = current_schema() AND relname LIKE 'procrastinate%%' AND relkind IN ('r', 'S')
  LOOP
    IF thing.relkind = 'r' THEN
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %%I TO {role}', thing.relname);
    ELSE
      EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %%I TO {role}', thing.relname);
    END IF;
  END LOOP;
END $$
"""


def upgrade() -> None:
    role = context.config.attributes["role"]
    run = op.get_bind().connection.cursor().execute  # psycopg itself: scripts of several statements
    run((HERE / "0001_house.sql").read_text(encoding="utf-8"))
    run((HERE / "0001_walls.sql").read_text(encoding="utf-8").replace("{role}", role))
    run((HERE / "0001_launch.sql").read_text(encoding="utf-8"))
    run(SchemaManager.get_schema())
    run(QUEUE_RIGHTS.replace("{role}", role).replace("%%", "%"))
