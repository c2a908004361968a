"""A real PostgreSQL for every test that wants one: the bundled one, or the server of LTI_SERVER_TEST_DATABASE_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from lti_server.app import House, build_house
from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from lti_server.settings import Settings
from tests.clock import FakeClock

SECRET = "a-secret-key-of-the-tests-long-enough"


def _at(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of a PostgreSQL server where databases may be made."""
    given = os.environ.get("LTI_SERVER_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with TemporaryDirectory(prefix="lti-server-tests-") as directory:
        bundled = BundledPostgres(Path(directory))
        url = bundled.hold()
        with psycopg.connect(url, autocommit=True) as connection:
            # Nothing here outlives the run, so nothing needs to reach the disk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
        bundled.release()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory where a bundled PostgreSQL may live.

    Root's PostgreSQL runs as another user, and every pytest that starts shuts pytest's own directories to others.
    """
    with TemporaryDirectory(prefix="lti-server-tests-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[tuple[str, str]]:
    """A migrated database to copy, and the server's administrative address."""
    admin = _at(server_url, "postgres")
    name = f"lti_test_{uuid4().hex[:12]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = _at(server_url, name)
    upgrade(url, url)
    yield name, admin
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"{name}_lti_server_app")))


@pytest.fixture(scope="session")
def ahead(template: tuple[str, str], server_url: str) -> Iterator[Ahead]:
    """Fresh databases, made while the test before runs."""
    databases = Ahead(template, server_url)
    yield databases
    databases.close()


@pytest.fixture
def database_url(ahead: Ahead) -> Iterator[str]:
    """A fresh, migrated database for one test."""
    name = ahead.take()
    yield ahead.url(name)
    ahead.give_back(name)


class Ahead:
    """One copy of the template is always in the making, and what is given back is dropped behind the next test."""

    def __init__(self, template: tuple[str, str], server_url: str) -> None:
        self._template = template
        self._server_url = server_url
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="databases")
        self._next: Future[str] = self._worker.submit(_make, template)

    def take(self) -> str:
        made, self._next = self._next, self._worker.submit(_make, self._template)
        return made.result()

    def url(self, name: str) -> str:
        return _at(self._server_url, name)

    def give_back(self, name: str) -> None:
        self._worker.submit(_drop, self._template, name)

    def close(self) -> None:
        self.give_back(self._next.result())
        self._worker.shutdown(wait=True)


@contextmanager
def fresh_database(template: tuple[str, str], server_url: str) -> Iterator[str]:
    """A copy of any database, until the block ends."""
    name = _make(template)
    yield _at(server_url, name)
    _drop(template, name)


def _make(template: tuple[str, str]) -> str:
    name, admin = template
    mine = f"{name}_{uuid4().hex[:8]}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(mine), sql.Identifier(name)))
        connection.execute(
            sql.SQL("CREATE ROLE {} NOLOGIN IN ROLE {}").format(
                sql.Identifier(f"{mine}_lti_server_app"), sql.Identifier(f"{name}_lti_server_app")
            )
        )
        # A login that is no superuser may become only what it was given (PostgreSQL 16 and newer).
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(f"{mine}_lti_server_app")))
    return mine


def _drop(template: tuple[str, str], name: str) -> None:
    with psycopg.connect(template[1], autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"{name}_lti_server_app")))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(database_url=database_url, data_dir=tmp_path, secret_keys=(SECRET,))


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock) -> Iterator[House]:
    """The whole server's parts on a fresh database."""
    found = build_house(settings, database_url, clock)
    yield found
    found.database.dispose()
