"""A lived-in server with two districts, the commands of its operator, and a database that a backup comes back into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from lti_server_demo_lms.profiles import PROFILES
from psycopg import sql
from sqlalchemy.engine import make_url

from lti_server.app import House, build_house
from lti_server.cli import Commands
from lti_server.ids import PersonId
from lti_server.privacy.journal import JournalKind
from tests.conftest import SECRET, fresh_database
from tests.functional.tenants.neighbours import Neighbours, neighbours
from tests.functional.tenants.test_tables import tables


class Site:
    """A lived-in server, its folder, and the commands of its operator."""

    def __init__(self, here: Neighbours, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.here = here
        self.file = folder / "monday.backup"
        self._monkeypatch = monkeypatch
        self.settings = here.house.settings
        self.environment(here.house.database.url)

    @property
    def url(self) -> str:
        return self.here.house.database.url

    def environment(self, url: str, **more: str) -> None:
        values = {
            "DATABASE_URL": url, "SECRET_KEYS": SECRET, "DATA_DIR": str(self.settings.data_dir),
            "BASE_URL": self.settings.base_url, "INSECURE_HOSTS": ",".join(self.settings.insecure_hosts), **more,
        }  # fmt: skip
        for name, value in values.items():
            self._monkeypatch.setenv(f"LTI_SERVER_{name}", value)

    def run(self, *arguments: str) -> dict[str, Any]:
        result = CliRunner().invoke(Commands(), ["backup", *arguments, "--json"])
        if result.exception is not None:
            raise result.exception
        found = json.loads(result.stdout)
        assert isinstance(found, dict)
        return found

    def without_users(self) -> None:
        """Server and worker are stopped."""
        self.here.house.database.dispose()

    def contents(self, url: str | None = None) -> dict[str, list[str]]:
        engine = sa.create_engine(
            (url or self.url).replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            names = [*tables(connection), "directory", "document_key", "instance_key", "tool_key", "procrastinate_jobs"]
            found = {
                name: sorted(map(str, connection.execute(sa.text(f"SELECT t::text FROM {name} t")).scalars()))
                for name in names
            }
        engine.dispose()
        return found

    def count(self, query: str, url: str | None = None) -> int:
        with psycopg.connect(url or self.url) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def site(
    template: tuple[str, str],
    server_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("backup")
    with fresh_database(template, server_url) as url, neighbours(url, folder, PROFILES["canvas"]) as here:
        yield Site(here, monkeypatch, folder)


@pytest.fixture
def elsewhere(template: tuple[str, str]) -> Iterator[str]:
    """An empty database of another name, on a server that has never seen this program."""
    name, admin = f"lti_other_{uuid4().hex[:8]}", template[1]
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield make_url(admin).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{name}_lti_server_app")))


class Monday:
    """The backup is made; what follows is done after it."""

    def __init__(self, site: Site, elsewhere: str) -> None:
        self.site, self.elsewhere = site, elsewhere
        self.house, self.tenant = site.here.house, site.here.tenants[0]
        self.district_id = self.tenant.district.id
        with self.house.database.tenant(self.district_id) as connection:
            worked = connection.execute(sa.text("SELECT person_id FROM progress_event LIMIT 1")).scalar_one()
        self.pupil = PersonId(worked)

    def backup(self) -> None:
        self.site.run("create", str(self.site.file))

    def restore(self, kind: JournalKind, changed: int = 1) -> dict[str, Any]:
        """The backup comes back, and a second replay finds nothing to do."""
        self.site.environment(self.elsewhere)
        found = self.site.run("restore", str(self.site.file))
        assert found["changed"][kind.value] == changed, found
        again = self.site.run("replay")
        assert set(again["changed"].values()) == {0}, again
        return found

    def ask(self, query: str, **values: object) -> list[Any]:
        """Rows of the restored database."""
        with self.restored() as house, house.database.tenant(self.district_id) as connection:
            return list(connection.execute(sa.text(query), values))

    @contextmanager
    def restored(self) -> Iterator[House]:
        house = build_house(self.site.settings, self.elsewhere)
        try:
            yield house
        finally:
            house.database.dispose()


@pytest.fixture
def monday(site: Site, elsewhere: str) -> Monday:
    return Monday(site, elsewhere)


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(Commands(), [*arguments, "--json"])
    if result.exception is not None:
        raise result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def doctor() -> set[str]:
    """What it finds to be not well."""
    result = CliRunner().invoke(Commands(), ["doctor", "--json"])
    return {one["name"] for one in json.loads(result.stdout)["checks"] if not one["ok"]}
