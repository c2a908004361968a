"""Two districts that share an LMS, its people and its ids, and ways into the database around the first wall."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from lti_server_demo_lms.profiles import PROFILES

from lti_server.db import application_role, database_name
from tests.conftest import SECRET, fresh_database
from tests.functional.tenants.neighbours import Neighbours, Tenant, neighbours
from tests.functional.tenants.test_tables import rows_of, tables


@pytest.fixture(scope="module")
def here(template: tuple[str, str], server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    folder = tmp_path_factory.mktemp("row-level-security")
    with fresh_database(template, server_url) as url, neighbours(url, folder, PROFILES["canvas"]) as found:
        yield found


@pytest.fixture
def owner(here: Neighbours) -> Iterator[psycopg.Connection]:
    """Somebody with every right in the database; nothing that is done here stays."""
    with psycopg.connect(here.house.database.url) as connection:
        yield connection
        connection.rollback()


@contextmanager
def application(here: Neighbours, tenant: Tenant | None) -> Iterator[psycopg.Connection]:
    """The application role, as a statement of ours that forgot its WHERE would have it; nothing stays."""
    url = here.house.database.url
    with psycopg.connect(url, options=f"-c role={application_role(database_name(url))}") as connection:
        if tenant is not None:
            connection.execute("SELECT set_config('app.district', %s, true)", [str(tenant.district.id)])
        yield connection
        connection.rollback()


def every_table(here: Neighbours) -> dict[str, list[str]]:
    engine = here.house.database.engine
    with engine.connect() as connection:
        return tables(connection)


def key_of(table: str) -> str:
    return "id" if table == "district" else "district_id"


def counted(connection: psycopg.Connection, table: str, tenant: Tenant | None = None) -> int:
    where, values = ("", []) if tenant is None else (f" WHERE {key_of(table)} = %s", [tenant.district.id])
    row = connection.execute(f"SELECT count(*) FROM {table}{where}", values).fetchone()
    assert row is not None
    return int(row[0])


def refused(connection: psycopg.Connection, statement: str, values: Any = None) -> psycopg.Error | None:
    """What the database answers, without an end of the transaction."""
    try:
        with connection.transaction():
            connection.execute(statement, values)
    except psycopg.Error as error:
        return error
    return None


def copied(connection: psycopg.Connection, table: str, columns: list[str], **changes: str) -> str:
    """A statement that puts a row of the table in again, with some columns changed to expressions."""
    always = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND (attidentity = 'a' OR attgenerated <> '')",
        [table],
    ).fetchall()
    names = [name for name in columns if (name,) not in always]
    values = ", ".join(changes.get(name, name) for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} LIMIT 1"


def environment(here: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = here.house.settings
    values = {
        "DATABASE_URL": here.house.database.url, "SECRET_KEYS": SECRET, "DATA_DIR": str(settings.data_dir),
        "BASE_URL": settings.base_url, "INSECURE_HOSTS": ",".join(settings.insecure_hosts),
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"LTI_SERVER_{name}", value)


def state(here: Neighbours, tenant: Tenant) -> dict[str, list[dict[str, object]]]:
    engine = sa.create_engine(
        here.house.database.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        found = {table: rows_of(connection, table, tenant) for table in tables(connection)}
    engine.dispose()
    return {table: sorted(rows, key=repr) for table, rows in found.items()}
