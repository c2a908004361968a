"""A migrated database for the guards that read the catalogue of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from lti_server import migrate
from lti_server.db import application_role, database_name, sqlalchemy_url
from lti_server.postgres import BundledPostgres


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bundled database of its own, with the schema of this version."""
    postgres = BundledPostgres(tmp_path_factory.mktemp("guards"))
    address = postgres.hold()
    try:
        migrate.upgrade(address, address)
        yield address
    finally:
        postgres.release()


@pytest.fixture
def owner(migrated: str) -> Iterator[sa.Connection]:
    """A connection of the schema's owner."""
    engine = sa.create_engine(sqlalchemy_url(migrated), poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def runtime(migrated: str) -> Iterator[psycopg.Connection]:
    """A connection as the application role."""
    role = application_role(database_name(migrated))
    with psycopg.connect(migrated, options=f"-c role={role}") as connection:
        yield connection
