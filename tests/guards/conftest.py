"""A migrated database for the guards that read the catalogue of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from lti_server.db import application_role, database_name, sqlalchemy_url


@pytest.fixture(scope="session")
def migrated(template: tuple[str, str], server_url: str) -> str:
    """The address of a database with the schema of this version; nobody commits to it."""
    name, _ = template
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


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
