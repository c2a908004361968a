"""`db upgrade` and `db check`: the application role and the schema, as the database's owner."""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy.engine import make_url

from lti_server.db import application_role, database_name, sqlalchemy_url
from lti_server.errors import ConfigurationError

HERE = Path(__file__).parent / "migrations"
LOWEST_SERVER = 150_000
UPGRADE_LOCK = 6_271_302


def upgrade(owner_url: str, runtime_url: str) -> str:
    """Make the application role, run what is missing, and answer with the schema's revision.

    Several processes may call it at once; each waits for the one before. Idempotent.

    Raises:
        ConfigurationError: the server is older than PostgreSQL 15, or the login may not create a role.
    """
    role = application_role(database_name(owner_url))
    engine = sa.create_engine(sqlalchemy_url(owner_url), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            _make_role(connection, role, make_url(runtime_url).username)
            config = _config()
            config.attributes.update(connection=connection, role=role)
            command.upgrade(config, "head")
            return str(MigrationContext.configure(connection).get_current_revision())
    finally:
        engine.dispose()


def revisions(url: str) -> tuple[str | None, str]:
    """The schema's revision in the database, and the one that this program wants."""
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    return found, str(wanted)


def known_revisions() -> set[str]:
    """Every revision that this program can bring up to its own."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def make_role(owner_url: str, runtime_url: str) -> None:
    """The application role alone, for a database whose schema comes from a backup.

    Raises:
        ConfigurationError: as `upgrade`.
    """
    engine = sa.create_engine(sqlalchemy_url(owner_url), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            role = application_role(database_name(owner_url))
            _make_role(connection, role, make_url(runtime_url).username)
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def _make_role(connection: sa.Connection, role: str, runtime_user: str | None) -> None:
    """One NOLOGIN role a database, which the runtime login may become (design 2, "Roles")."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    if raw.info.server_version < LOWEST_SERVER:
        raise ConfigurationError(["The database server is older than PostgreSQL 15. Use 15 or newer."])
    members = {connection.execute(sa.text("SELECT current_user")).scalar_one(), runtime_user} - {None, ""}
    options = sql.SQL(" WITH SET TRUE") if raw.info.server_version >= 160_000 else sql.SQL("")
    try:
        exists = raw.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if exists is None:
            raw.execute(
                sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE").format(
                    sql.Identifier(role)
                )
            )
        for member in members:
            raw.execute(sql.SQL("GRANT {} TO {}{}").format(sql.Identifier(role), sql.Identifier(str(member)), options))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            [
                f"The owner login may not make the role {role}. Give it CREATEROLE, or let an administrator run: "
                f"CREATE ROLE {role} NOLOGIN; GRANT {role} TO <both logins>; then run `lti-server db upgrade` again."
            ]
        ) from error
