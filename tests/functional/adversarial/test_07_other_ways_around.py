"""Adversarial test 7, the other ways around: the operator's rows, views, prepared plans, functions, keys and ids.

Tables, functions, foreign keys and commands are found by query, so that a new one is tried, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from lti_server import walls
from lti_server.cli import Commands
from lti_server.db import Door, application_role, database_name, enter
from lti_server.errors import LtiServerError
from lti_server.statements import Statement
from tests.commands import every_command
from tests.functional.adversarial.around_the_wall import (
    counted,
    environment,
    every_table,
    here,
    owner,
    state,
)
from tests.functional.adversarial.test_07_row_level_security import OPERATORS_OWN
from tests.functional.tenants.neighbours import Neighbours, Tenant
from tests.guards.test_schema import QUEUE, WITHOUT_A_TENANT

__all__ = ["here", "owner"]
WHO = "SELECT current_user, session_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


def becomes(owner: psycopg.Connection, here: Neighbours, tenant: Tenant | None) -> None:
    """From here on the application, in a transaction that somebody with every right has begun."""
    owner.execute(f'SET LOCAL ROLE "{application_role(database_name(here.house.database.url))}"')
    owner.execute("SELECT set_config('app.district', %s, true)", [str(tenant.district.id) if tenant else ""])


def test_what_is_the_operator_s_is_seen_and_changed_by_no_district(here: Neighbours, owner: psycopg.Connection) -> None:
    owner.execute("SET LOCAL session_replication_role = replica")
    for table in OPERATORS_OWN:
        one = f"SELECT ctid FROM {table} LIMIT 1"
        assert owner.execute(f"UPDATE {table} SET district_id = NULL WHERE ctid = ({one})").rowcount == 1, table
    owner.execute("SET LOCAL session_replication_role = origin")
    becomes(owner, here, here.tenants[0])
    for table in OPERATORS_OWN:
        operators = f"FROM {table} WHERE district_id IS NULL"
        assert owner.execute(f"SELECT 1 {operators}").fetchall() == [], table
        for statement in (f"DELETE {operators}", f"UPDATE {table} SET id = id WHERE district_id IS NULL"):
            with owner.transaction(force_rollback=True):
                assert owner.execute(statement).rowcount == 0, statement
    becomes(owner, here, None)
    for table in OPERATORS_OWN:
        assert counted(owner, table) == 1, table


def test_every_connection_of_the_program_is_the_application_also_where_the_login_is_a_superuser(
    here: Neighbours,
) -> None:
    """A superuser goes around every wall: requests, fences and single statements never are one."""
    database, mine = here.house.database, here.tenants[0].district.id
    with database.anyone() as connection:
        found = [tuple(connection.execute(sa.text(WHO)).one())]
    with database.tenant(mine) as connection:
        found.append(tuple(connection.execute(sa.text(WHO)).one()))
    with database.apart(mine) as connection:
        found.append(tuple(connection.execute(sa.text(WHO)).one()))
    single = database.once(Statement(WHO), {})
    assert single is not None
    found.append(tuple(single))
    with psycopg.connect(database.url, options=database.options) as jobs:  # as the worker's pool connects
        found.append(tuple(jobs.execute(WHO).fetchone() or ()))
    with psycopg.connect(database.url) as login:
        row = login.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
    assert row == (True,), "the tests' own login is a superuser, else this shows nothing"
    assert {one[0] for one in found} == {application_role(database_name(database.url))}
    assert {one[2] for one in found} == {False}


def test_over_every_table_a_view_of_its_owner_s_is_found_and_one_that_asks_as_the_reader_keeps_districts_apart(
    here: Neighbours, owner: psycopg.Connection
) -> None:
    mine, other = here.tenants
    found = every_table(here)
    role = application_role(database_name(here.house.database.url))
    for table in found:
        owner.execute(f"CREATE VIEW leaking_{table} AS SELECT * FROM {table}")
        owner.execute(f"CREATE MATERIALIZED VIEW still_{table} AS SELECT * FROM {table}")
        owner.execute(f"CREATE VIEW asking_{table} WITH (security_invoker = true) AS SELECT * FROM {table}")
        owner.execute(f'GRANT SELECT ON asking_{table}, still_{table} TO "{role}"')
    assert set(walls.open_views(owner)) == {f"{kind}_{table}" for kind in ("leaking", "still") for table in found}
    becomes(owner, here, mine)
    leaked = set()
    for table in found:
        key = "id" if table == "district" else "district_id"
        count = f"SELECT count(*) FILTER (WHERE {key} = %s), count(*) FILTER (WHERE {key} = %s)"
        ids = [mine.district.id, other.district.id]
        asking = owner.execute(f"{count} FROM asking_{table}", ids).fetchone()
        still = owner.execute(f"{count} FROM still_{table}", ids).fetchone()
        assert asking is not None
        assert still is not None
        assert (asking[0] > 0, asking[1]) == (True, 0), table
        leaked |= {table} if still[1] else set()
    assert leaked == set(found), "a materialised view goes around every wall: so none may be there"


def test_a_plan_that_was_prepared_for_one_district_reads_the_next_one_s_rows(here: Neighbours) -> None:
    """A connection of the pool keeps its prepared statements: their plans must ask for the district each time."""
    mine, other = here.tenants
    url = here.house.database.url
    with psycopg.connect(url, options=f"-c role={application_role(database_name(url))}", autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        for table in every_table(here):
            key = "id" if table == "district" else "district_id"
            connection.execute(f"PREPARE of_{table} AS SELECT DISTINCT {key} FROM {table}")
            for tenant in (mine, other, None, mine):
                with connection.transaction():
                    if tenant is not None:
                        connection.execute("SELECT set_config('app.district', %s, true)", [str(tenant.district.id)])
                    seen = {one for (one,) in connection.execute(f"EXECUTE of_{table}").fetchall()} - {None}
                assert seen == (set() if tenant is None else {tenant.district.id}), table


def test_a_district_entered_within_a_savepoint_ends_with_it(here: Neighbours) -> None:
    mine, other = here.tenants
    with here.house.database.tenant(mine.district.id) as connection:
        inner = connection.begin_nested()
        enter(connection, other.district.id)
        inner.rollback()
        assert connection.execute(sa.text("SELECT current_district()")).scalar_one() == mine.district.id


def functions(owner: psycopg.Connection) -> Iterator[tuple[str, list[str]]]:
    """What the application may call that reads, and asks for an id: its name and the types of its arguments."""
    rows = owner.execute(
        "SELECT p.proname, array(SELECT format_type(one, NULL) FROM unnest(p.proargtypes) one)"
        " FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.provolatile <> 'i'"
        " AND p.prorettype <> 'trigger'::regtype AND 'uuid'::regtype = ANY (p.proargtypes)"
        " AND p.proname NOT LIKE 'procrastinate%' ORDER BY 1"
    ).fetchall()
    for name, kinds in rows:
        yield name, list(kinds)


def test_no_function_tells_one_district_s_ids_from_ids_of_nobody(here: Neighbours, owner: psycopg.Connection) -> None:
    mine, other = here.tenants
    ids = {row["id"] for rows in state(here, other).values() for row in rows if _is_id(row)}
    ids |= {other.registered.grant_id}
    asked = list(functions(owner))
    assert len(asked) >= 6
    values = {
        "integer": 1,
        "text": "signin",
        "timestamp with time zone": "2026-01-01",
        "bytea": b"x",
        "bytea[]": [b"x"],
        "jsonb": '{"sections": ["1"], "schools": ["x"]}',
    }
    before = owner.execute("SELECT count(*) FROM directory").fetchone()
    becomes(owner, here, mine)
    for name, kinds in asked:
        marks = ", ".join(f"%s::{kind}" for kind in kinds)

        def said(one: object, name: str = name, kinds: list[str] = kinds, marks: str = marks) -> object:
            given = [one if kind == "uuid" else values[kind] for kind in kinds]
            with owner.transaction(force_rollback=True):
                return owner.execute(f"SELECT * FROM {name}({marks})", given).fetchall()

        assert {repr(said(one)) for one in sorted(ids, key=str)[:80]} == {repr(said(uuid4()))}, name
    for kind, one in product(Door, ids):
        owner.execute("SELECT directory_close(%s, %s)", [kind.value, one])
    owner.execute("RESET ROLE")
    assert owner.execute("SELECT count(*) FROM directory").fetchone() == before


def test_a_foreign_key_can_be_asked_about_another_district_by_nothing_that_can_be_guessed(
    owner: psycopg.Connection,
) -> None:
    """PostgreSQL looks behind the wall to hold a key: so each that does not hold the district points at a random id."""
    rows = owner.execute(
        "SELECT c.conname, t.relname, r.relname, array(SELECT format_type(a.atttypid, NULL) FROM pg_attribute a"
        " WHERE a.attrelid = c.confrelid AND a.attnum = ANY (c.confkey)) FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid"
        " WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace"
    ).fetchall()
    ours = [one for one in rows if not (QUEUE.match(one[1]) or one[2] in WITHOUT_A_TENANT)]
    assert len(ours) >= 60
    assert [one for one in ours if "uuid" not in one[3]] == []


def by_id() -> list[tuple[list[str], str, bool]]:
    """Every command that takes an id: its path, the parameter's name, and whether it takes a district beside it."""
    found: list[tuple[list[str], str, bool]] = []
    for path, command in every_command(Commands()):
        names = {str(one.name) for one in command.params}
        found += [(path, one, "slug" in names) for one in sorted(names & OF_TABLE.keys())]
        astray = {one for one in names if one.endswith("_id")} - OF_TABLE.keys() - NO_ID_OF_OURS
        assert astray == set(), (path, astray)
    return found


OF_TABLE = {
    "block_id": "block", "disposition_id": "disposition", "grant_id": "grants", "person_id": "person",
    "registration_id": "registration", "run_id": "roster_run", "section_id": "section",
}  # fmt: skip
NO_ID_OF_OURS = {
    "client_id",
    "deployment_id",
    "source_id",
    "incident_id",
    "no_shared_id",
}  # others' ids, and the installation's own
NEEDED: dict[tuple[str, ...], list[str]] = {
    ("disposition", "certificate"): ["--out", "certificate.json"], ("person", "unblock"): ["--reason", "asked"],
    ("person", "show"): ["--reason", "asked"], ("person", "export"): ["--reason", "asked"],
}  # fmt: skip
LOOKING = {"show", "export", "inspect"}


def arguments(path: list[str], name: str, value: object) -> list[str]:
    option = {"grant_id": "--part", "person_id": "--person"}.get(name, "")
    option = "--now" if path == ["disposition", "run"] else option
    by_option = path[-1] in ("request", "run", "block") or path[0] == "session"
    wants = [option, str(value)] if by_option else [str(value)]
    return [*path, *wants, *NEEDED.get(tuple(path), []), "--json"]


def test_a_command_for_one_district_that_names_another_s_ids_does_and_shows_nothing(
    here: Neighbours, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment(here, monkeypatch)
    monkeypatch.chdir(tmp_path)
    mine, other = here.tenants
    before, tried = state(here, other), 0
    for path, name, with_district in by_id():
        if not with_district:
            continue
        for row in before[OF_TABLE[name]][:2]:
            given = [*arguments(path, name, row["id"]), "--district", mine.slug]
            result = CliRunner().invoke(Commands(), given)
            assert isinstance(result.exception, LtiServerError), (given, result.output, result.exception)
            told = f"{result.output} {result.exception.detail} {result.exception.public}"
            assert [mark for mark in other.marks if mark in told] == [], given
            tried += 1
    assert tried >= 4
    assert list(tmp_path.iterdir()) == []
    assert state(here, other) == before


def test_a_command_that_shows_one_district_s_row_shows_nothing_of_the_other(
    here: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both know the same people, courses and links: whatever mixed them would show here."""
    environment(here, monkeypatch)
    mine, other = here.tenants
    rows = state(here, mine)
    shown: dict[tuple[str, ...], int] = {}
    theirs = {str(row["id"]) for table in state(here, other).values() for row in table if _is_id(row)}
    looking = [one for one in by_id() if one[0][-1] in LOOKING and not one[2]]
    for (path, name, _), row in ((one, row) for one in looking for row in rows[OF_TABLE[one[1]]][:6]):
        result = CliRunner().invoke(Commands(), arguments(path, name, row["id"]))
        assert [one for one in (*other.marks, *theirs) if one in result.output] == [], path
        shown[tuple(path)] = shown.get(tuple(path), 0) + (result.exit_code == 0)
    assert len(shown) >= 5
    assert all(shown.values()), shown


def _is_id(row: Mapping[str, object]) -> bool:
    return isinstance(row.get("id"), UUID)
