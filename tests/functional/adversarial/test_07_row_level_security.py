"""Adversarial test 7: every table, tried around the first wall. Two districts share an LMS, its people and its ids.

The tables, their unique keys and the commands are found by query, so that a new one is tried, too.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa

from lti_server import walls
from lti_server.db import Database, application_role, database_name
from tests.functional.adversarial.around_the_wall import (
    application,
    copied,
    counted,
    every_table,
    here,
    key_of,
    owner,
    refused,
)
from tests.functional.tenants.neighbours import Neighbours, Tenant
from tests.guards.test_schema import QUEUE, WITHOUT_A_TENANT

__all__ = ["here", "owner"]
# Rows of the operator, who has no district, are seen where none is entered.
OPERATORS_OWN = {"session", "invitation", "mail_message"}
# A unique key without the district and without anything random in it: why it tells nobody of another district.
GUESSABLE = {
    "uq_district_slug": "districts are added by the operator, on the command line alone",
    "pk_log_entry": "a counter that only the database sets (GENERATED ALWAYS)",
    "uq_log_link_entry_id": "a counter of ours; nobody but the sealer chooses its value",
}


def test_every_table_has_rows_of_both_districts(here: Neighbours, owner: psycopg.Connection) -> None:
    """Else nothing here would be shown of it."""
    found = every_table(here)
    assert len(found) >= 35
    assert {name for name in found for tenant in here.tenants if not counted(owner, name, tenant)} == set()


def test_a_connection_that_comes_back_from_a_tenant_shows_nothing(here: Neighbours) -> None:
    """The same connection of the pool, after a tenant's transaction that was committed, and one that failed."""
    database = Database(here.house.database.url, role=here.house.database.role, pool_size=1)
    seen: list[Any] = []
    for fails in (False, True):
        try:
            with database.tenant(here.tenants[0].district.id) as connection:
                mine = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
                if fails:
                    connection.execute(sa.text("SELECT 1 / 0"))
        except sa.exc.DataError:
            pass
        with database.anyone() as connection:
            assert connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() == mine
            assert connection.execute(sa.text("SELECT current_district()")).scalar_one() is None
            for table in every_table(here):
                rule = "district_id IS NOT NULL" if table in OPERATORS_OWN else "true"
                seen += connection.execute(sa.text(f"SELECT 1 FROM {table} WHERE {rule}")).all()
    database.dispose()
    assert seen == []


def test_without_a_tenant_nothing_of_a_district_is_written(here: Neighbours) -> None:
    with application(here, None) as connection:
        for table in every_table(here):
            for statement in (f"UPDATE {table} SET {key_of(table)} = {key_of(table)}", f"DELETE FROM {table}"):
                if table in OPERATORS_OWN:
                    statement += " WHERE district_id IS NOT NULL"
                error = refused(connection, statement)
                assert error is None or error.sqlstate == "42501", (statement, error)
        connection.rollback()
    for tenant in here.tenants:
        with application(here, tenant) as connection:
            assert [table for table in every_table(here) if not counted(connection, table)] == []


def test_a_tenant_changes_no_row_of_another_whatever_the_statement_names(here: Neighbours) -> None:
    mine, other = here.tenants
    with application(here, mine) as connection:
        for table in every_table(here):
            key = key_of(table)
            where = f"WHERE {key} = '{other.district.id}'"
            assert counted(connection, table, other) == 0, table
            for statement in (f"UPDATE {table} SET {key} = {key} {where}", f"DELETE FROM {table} {where}"):
                with connection.transaction(force_rollback=True), suppress(psycopg.errors.InsufficientPrivilege):
                    assert connection.execute(statement).rowcount == 0, statement


def test_a_tenant_puts_no_row_into_another(here: Neighbours) -> None:
    mine, other = here.tenants
    with application(here, mine) as connection:
        for table, columns in every_table(here).items():
            into = {key_of(table): f"'{other.district.id}'"}
            error = refused(connection, copied(connection, table, columns, **into))
            assert error is not None, table
            # The wall, a missing right, or a trigger that finds no grant of this tenant; never "it is there already".
            assert error.sqlstate in ("42501", "LG001", "LG002"), (table, error.sqlstate)
            if table != "district":
                moved = refused(connection, f"UPDATE {table} SET district_id = '{other.district.id}'")
                assert moved is not None, table
                assert moved.sqlstate in ("42501", "LG001", "LG002", "LG003"), (table, moved.sqlstate)


def test_the_owner_of_the_tables_is_behind_the_wall_too(here: Neighbours, owner: psycopg.Connection) -> None:
    """FORCE: a login that owns the schema and is no superuser, as `db upgrade` has in production."""
    owner.execute("CREATE ROLE rls_plain_owner NOLOGIN NOSUPERUSER NOBYPASSRLS")
    for table in every_table(here):
        owner.execute(f"ALTER TABLE {table} OWNER TO rls_plain_owner")
    owner.execute("SET LOCAL ROLE rls_plain_owner")
    seen = {}
    for table in every_table(here):
        rule = " WHERE district_id IS NOT NULL" if table in OPERATORS_OWN else ""
        row = owner.execute(f"SELECT count(*) FROM {table}{rule}").fetchone()
        seen[table] = row and row[0]
    assert {table for table, count in seen.items() if count} == set()
    mine, other = here.tenants
    owner.execute("SELECT set_config('app.district', %s, true)", [str(mine.district.id)])
    assert [table for table in seen if counted(owner, table, other) or not counted(owner, table)] == []


def test_no_view_looks_as_its_owner_and_none_is_materialised(here: Neighbours, owner: psycopg.Connection) -> None:
    assert walls.open_views(owner) == []


def test_a_view_that_looks_as_whoever_asks_shows_a_tenant_its_own_rows_alone(
    here: Neighbours, owner: psycopg.Connection
) -> None:
    mine, other = here.tenants
    role = application_role(database_name(here.house.database.url))
    owner.execute("CREATE VIEW leaking AS SELECT * FROM person")
    owner.execute("CREATE VIEW asking WITH (security_invoker = true) AS SELECT * FROM person")
    owner.execute(f'GRANT SELECT ON leaking, asking TO "{role}"')
    assert walls.open_views(owner) == ["leaking"]
    owner.execute(f'SET LOCAL ROLE "{role}"')
    owner.execute("SELECT set_config('app.district', %s, true)", [str(mine.district.id)])
    assert (counted(owner, "asking", other), counted(owner, "leaking", other)) == (0, counted_of(here, "person", other))
    assert counted(owner, "asking") == counted_of(here, "person", mine)


def counted_of(here: Neighbours, table: str, tenant: Tenant) -> int:
    with application(here, tenant) as connection:
        return counted(connection, table)


def unique_keys(owner: psycopg.Connection) -> dict[str, tuple[str, dict[str, str]]]:
    """Unique indexes of tenants' tables: the table, and each column with its type."""
    rows = owner.execute(
        "SELECT i.relname, t.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_index x"
        " JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid"
        " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (x.indkey)"
        " WHERE x.indisunique AND t.relnamespace = current_schema()::regnamespace"
    ).fetchall()
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for index, table, column, kind in rows:
        if table not in WITHOUT_A_TENANT and not QUEUE.match(table):
            found.setdefault(index, (table, {}))[1][column] = kind
    return found


def test_no_unique_key_can_be_asked_whether_another_district_has_a_value(owner: psycopg.Connection) -> None:
    """Each holds the district, or something of 122 random bits and more: an id of ours, or the hash of a token."""
    keys = unique_keys(owner)
    assert len(keys) >= 40
    guessable = {
        index
        for index, (_, columns) in keys.items()
        if "district_id" not in columns and not {"uuid", "bytea"} & set(columns.values())
    }
    assert guessable == set(GUESSABLE)


def test_a_value_that_another_district_has_is_refused_without_a_word_about_it(here: Neighbours) -> None:
    """The very row of the other, put in as mine: what the database says of it goes into no log or answer."""
    mine, other = here.tenants
    tried = 0
    with psycopg.connect(here.house.database.url) as seeing:
        for table, columns in every_table(here).items():
            if table == "district":
                continue
            row = seeing.execute(f"SELECT * FROM {table} WHERE district_id = %s LIMIT 1", [other.district.id])
            values = dict(zip(columns, row.fetchone() or (), strict=True))
            told = said_of(here, mine, table, {**values, "district_id": mine.district.id})
            if told is None:
                continue
            tried += 1
            hidden = {str(one) for name, one in values.items() if name != "district_id" and len(str(one)) >= 16}
            assert [one for one in hidden if one in told] == [], table
            assert "already exists" not in told.lower() or "Key (" not in told, table
    assert tried >= 10


def said_of(here: Neighbours, mine: Tenant, table: str, values: dict[str, Any]) -> str | None:
    """What PostgreSQL says when such a row is put in; None where it takes it."""
    with application(here, mine) as connection:
        wanted = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attidentity <> 'a'",
            [table],
        ).fetchall()
        names = [name for name, _ in wanted]
        marks = ", ".join(f"%s::{kind}" for _, kind in wanted)
        given = [json.dumps(values[name]) if kind == "jsonb" else values[name] for name, kind in wanted]
        error = refused(connection, f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", given)
        return None if error is None else f"{error} {error.diag.message_detail} {error.diag.context}"


def test_a_broken_rule_of_the_database_tells_nothing_of_the_row(here: Neighbours) -> None:
    """NOT NULL and foreign keys: without row-level security PostgreSQL prints the whole row."""
    mine, tried = here.tenants[0], 0
    with application(here, mine) as connection:
        for table, _columns in every_table(here).items():
            required = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnotnull AND attnum > 0", [table]
            ).fetchall()
            for (column,) in required:
                if column == key_of(table):
                    continue
                error = refused(connection, f"UPDATE {table} SET {column} = NULL")
                if error is not None and error.sqlstate == "23502":
                    tried += 1
                    assert error.diag.message_detail is None, (table, column)
            for column in pointing(connection, table):
                error = refused(connection, f"UPDATE {table} SET {column} = '{UUID(int=9)}'")
                if error is not None and error.sqlstate == "23503":
                    tried += 1
                    said = f"{error} {error.diag.message_detail}"
                    assert str(mine.district.id) not in said, (table, column)
                    assert len(re.findall(r"[0-9a-f-]{36}", said)) <= said.count(str(UUID(int=9))), (table, column)
    assert tried >= 50


def pointing(connection: psycopg.Connection, table: str) -> list[str]:
    rows = connection.execute(
        "SELECT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid"
        " AND a.attnum = c.conkey[1]"
        " WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND a.attname <> 'district_id'",
        [table],
    ).fetchall()
    return [name for (name,) in rows]


def test_copy_gives_a_tenant_its_own_rows_and_takes_none_in(here: Neighbours) -> None:
    mine, other = here.tenants
    for tenant in (mine, None):
        for table, columns in every_table(here).items():
            with application(here, tenant) as connection:
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                    out = b"".join(bytes(part) for part in copy).decode()
                assert str(other.district.id) not in out, table
                assert bool(out) is (tenant is not None) or table in OPERATORS_OWN, table
                statement = f"COPY {table} ({columns[0]}) FROM STDIN"
                with pytest.raises(psycopg.Error) as error, connection.cursor().copy(statement) as copy:
                    copy.write("x\n")
                assert error.value.sqlstate in ("0A000", "42501"), table


def test_the_statistics_of_the_planner_are_closed_to_the_application(
    here: Neighbours, owner: psycopg.Connection
) -> None:
    """Most common values of a column would be those of every district."""
    owner.execute("ANALYZE")
    with_values = owner.execute("SELECT count(*) FROM pg_stats WHERE tablename = 'section'").fetchone()
    assert with_values
    assert with_values[0]
    owner.execute(f'SET LOCAL ROLE "{application_role(database_name(here.house.database.url))}"')
    for table in every_table(here):
        assert owner.execute("SELECT 1 FROM pg_stats WHERE tablename = %s", [table]).fetchall() == [], table


def test_functions_that_see_every_district_may_be_called_by_the_application_alone(owner: psycopg.Connection) -> None:
    rows = owner.execute(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = current_schema()::regnamespace"
    ).fetchall()
    assert rows
    owner.execute("CREATE ROLE rls_somebody NOLOGIN")
    open_to_all = owner.execute(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = current_schema()::regnamespace"
        " AND has_function_privilege('rls_somebody', oid, 'EXECUTE')"
    ).fetchall()
    assert open_to_all == []


def test_the_application_may_only_add_to_the_log(here: Neighbours) -> None:
    with application(here, here.tenants[0]) as connection:
        for table in ("log_entry", "log_link"):
            for right in ("UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
                row = connection.execute("SELECT has_table_privilege(%s, %s)", [table, right]).fetchone()
                assert row == (False,), (table, right)


def test_the_application_may_truncate_no_table(here: Neighbours) -> None:
    """TRUNCATE knows no rows, and no row-level security."""
    with application(here, here.tenants[0]) as connection:
        for table in every_table(here):
            error = refused(connection, f"TRUNCATE {table}")
            assert isinstance(error, psycopg.errors.InsufficientPrivilege), table


def test_a_tenant_that_is_no_id_is_no_tenant(here: Neighbours) -> None:
    """`app.district` is read as an id or as nothing: text that is neither fails, and shows nothing."""
    for value in ("x", "' OR true --", str(uuid4())):
        with application(here, None) as connection:
            connection.execute("SELECT set_config('app.district', %s, true)", [value])
            error = refused(connection, "SELECT count(*) FROM person")
            assert error is not None or counted(connection, "person") == 0
