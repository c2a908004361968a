"""The second wall, looked at: whether row-level security and the log's triggers stand in the database as they are now.

Read from the catalogue of PostgreSQL under the application role, by `doctor` and by every process before it works.
Nothing about a person is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from lti_server.db import application_role, connect, database_name
from lti_server.errors import ConfigurationError

CONNECT_TIMEOUT_S = 5
# Held against every role in every mode of replication (0005_grants.sql, 0010_log_chain.sql).
TRIGGERS = (
    ("log_entry", "log_stays"), ("log_entry", "log_waits"), ("log_link", "log_stays"),
    ("grants", "grant_moves"), ("grants", "grant_stays"),
)  # fmt: skip

Looked = psycopg.Connection[tuple[object, ...]]


def role_faults(connection: Looked) -> list[str]:
    """Why row-level security does nothing for whoever asks: it is inert for these."""
    row = connection.execute(
        "SELECT rolsuper, rolbypassrls, EXISTS (SELECT 1 FROM pg_class WHERE relowner = pg_roles.oid"
        " AND relname = 'district') FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    return [word for word, bad in zip(("a superuser", "BYPASSRLS", "the owner"), row, strict=True) if bad]


def open_tables(connection: Looked) -> list[str]:
    """Tables of tenants without forced row-level security."""
    return _names(
        connection,
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'district_id'"
        " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace"
        " AND c.relname <> 'directory' AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1",
    )


def open_views(connection: Looked) -> list[str]:
    """Views that look as their owner, and materialised ones, which no policy covers."""
    return _names(
        connection,
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND (relkind = 'm'"
        " OR (relkind = 'v' AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'],"
        " false))) ORDER BY 1",
    )


def sleeping_triggers(connection: Looked) -> list[str]:
    """Triggers that hold the log and the grants, and are gone or do not fire for everybody."""
    awake = connection.execute(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgenabled = 'A' AND c.relnamespace = current_schema()::regnamespace"
    ).fetchall()
    return [f"{table}.{name}" for table, name in TRIGGERS if (table, name) not in awake]


def faults(connection: Looked) -> list[str]:
    """A sentence for each wall between districts that does not stand."""
    listed: Sequence[tuple[str, list[str]]] = (
        ("without forced row-level security", open_tables(connection)),
        ("views that go around row-level security", open_views(connection)),
    )
    return [f"{what}: {', '.join(names)}" for what, names in listed if names]


def require(url: str) -> None:
    """Refuse to work with a database whose walls do not stand.

    Raises:
        ConfigurationError: the application role goes around them, or one was taken down.
    """
    role = application_role(database_name(url))
    with connect(url, role=role, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        why = role_faults(connection)
        found = [f"the role {role} is {' and '.join(why)}"] if why else []
        found += faults(connection)
    if found:
        raise ConfigurationError(
            [f"Districts are not kept apart in the database: {one}. `lti-server doctor` says more." for one in found]
        )


def require_log(url: str) -> None:
    """Refuse to write where the log can be rewritten; to read and verify it stays possible.

    Raises:
        ConfigurationError: a trigger that holds the log or the grants does not fire.
    """
    with connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        found = sleeping_triggers(connection)
    if found:
        raise ConfigurationError(
            [
                f"Somebody switched off what holds the log and the grants: {', '.join(found)}. Verify the log against "
                "a checkpoint (`lti-server audit verify --checkpoint FILE`), then ALTER TABLE … ENABLE ALWAYS TRIGGER …"
            ]
        )


def _names(connection: Looked, query: str) -> list[str]:
    return [str(name) for (name,) in connection.execute(query).fetchall()]
