"""The database as it is after all migrations: it matches the tables in the code, and its walls stand."""

from __future__ import annotations

import importlib
import re

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from lti_server.db import application_role, database_name, metadata
from tests.guards.repository import ROOT, sources

WITHOUT_A_TENANT = {
    "alembic_version": "the revision of the schema",
    "directory": "finds the tenant; keyed hashes alone, and the application role reads it through functions",
    "document_key": "keys that sign documents of every district, wrapped",
    "instance_key": "keys of the installation, wrapped",
    "lesson": "the catalogue is everybody's",
    "policy_version": "the privacy notice is everybody's",
    "provider_application": "the operator's own accounts at providers, wrapped",
    "waiting_tenant": "school systems that no district has connected, as their provider names them",
    "tool_key": "the tool's own signing keys",
}
QUEUE = re.compile(r"^procrastinate_")


@pytest.fixture(scope="module", autouse=True)
def _every_table_is_loaded() -> None:
    for path in sources("lti_server"):
        if "sa.Table(" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_the_tables_in_the_code_are_the_tables_in_the_database(owner: sa.Connection) -> None:
    def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        return not (kind == "table" and name is not None and (QUEUE.match(name) or name == "alembic_version"))

    options = {"compare_type": True, "include_object": ours}
    context = MigrationContext.configure(owner, opts=options)
    assert compare_metadata(context, metadata) == []


def test_every_table_of_a_tenant_is_behind_forced_row_level_security(owner: sa.Connection) -> None:
    rows = owner.execute(
        sa.text(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS walled,"
            " EXISTS (SELECT FROM pg_policies p WHERE p.tablename = c.relname AND p.qual IS NOT NULL"
            "  AND p.with_check IS NOT NULL AND p.cmd = 'ALL' AND p.permissive = 'PERMISSIVE') AS ruled"
            " FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
        )
    )
    open_tables = {name for name, walled, ruled in rows if not (walled and ruled) and not QUEUE.match(name)}
    assert open_tables == set(WITHOUT_A_TENANT)


def test_no_table_without_a_wall_points_at_a_person(owner: sa.Connection) -> None:
    inspector = sa.inspect(owner)
    pointing = {
        f"{table}.{column['name']}"
        for table in WITHOUT_A_TENANT
        for column in inspector.get_columns(table)
        if re.search(r"person|e?mail|name$|address", column["name"])
    }
    assert not pointing


def test_no_table_has_a_second_policy_that_opens_what_the_first_closes(owner: sa.Connection) -> None:
    rows = owner.execute(
        sa.text(
            "SELECT tablename, count(*) FROM pg_policies WHERE permissive = 'PERMISSIVE' GROUP BY 1 HAVING count(*) > 1"
        )
    )
    assert not rows.all()


def test_the_application_role_owns_nothing_and_goes_around_nothing(runtime: psycopg.Connection) -> None:
    role = runtime.execute(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin FROM pg_roles"
        " WHERE rolname = current_user"
    ).fetchone()
    owned = runtime.execute(
        "SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
    ).fetchall()
    assert role == (False,)
    assert owned == []


def test_the_application_role_can_change_no_table_s_shape(runtime: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        runtime.execute("ALTER TABLE person DISABLE ROW LEVEL SECURITY")


def test_the_log_can_be_added_to_and_not_changed(runtime: psycopg.Connection) -> None:
    found = runtime.execute(
        "SELECT privilege FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE']) privilege"
        " WHERE has_table_privilege('log_entry', privilege)"
    ).fetchall()
    assert sorted(name for (name,) in found) == ["INSERT", "SELECT"]


def test_the_directory_can_be_read_through_its_functions_alone(runtime: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        runtime.execute("SELECT * FROM directory")


def test_without_a_tenant_no_row_of_any_district_is_seen(owner: sa.Connection, migrated: str) -> None:
    owner.execute(
        sa.text(
            "INSERT INTO district (id, slug, name, timezone, country, locale, data_key, pepper, created_at)"
            " VALUES (gen_random_uuid(), 'seen-by-none', 'n', 'UTC', 'US', 'en', '', '', now())"
        )
    )
    count = sa.text("SELECT count(*) FROM district")
    owner.execute(sa.text(f'SET LOCAL ROLE "{application_role(database_name(migrated))}"'))
    assert owner.execute(count).scalar_one() == 0


def test_functions_that_run_as_the_owner_fix_where_names_are_looked_up(owner: sa.Connection) -> None:
    loose = owner.execute(
        sa.text(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = current_schema()::regnamespace"
            " AND NOT EXISTS (SELECT FROM unnest(proconfig) setting WHERE setting LIKE 'search_path=%')"
        )
    )
    assert not loose.all()
