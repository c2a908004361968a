"""The one way to the database: engine, transactions, and the tenant that row-level security reads."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from lti_server.errors import ConfigurationError, Conflict, GrantRevoked, NotFound
from lti_server.ids import DistrictId
from lti_server.statements import SingleStatements, Statement

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)

directory = sa.Table(
    "directory",
    metadata,
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key_hash", sa.LargeBinary, nullable=False),
    sa.Column("district_id", sa.Uuid, nullable=False),
    sa.Column("target_id", sa.Uuid, nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.PrimaryKeyConstraint("kind", "key_hash", "district_id", "target_id"),
    sa.Index(
        "directory_opens_one",
        "kind",
        "key_hash",
        unique=True,
        postgresql_where=sa.text("kind NOT IN ('client', 'issuer')"),
    ),
    sa.Index("ix_directory_target_id", "target_id"),
    sa.Index("ix_directory_expires_at", "expires_at", postgresql_where=sa.text("expires_at IS NOT NULL")),
)

POOL_SIZE = 16
APART_POOL_SIZE = 8
STATEMENT_TIMEOUT_MS = 30_000
GRANT_DOES_NOT_STAND = "LG001"
"""The database refuses a row whose grant does not stand at the row's epoch (0005_grants.sql)."""
PERSON_IS_ERASED = "LG004"
"""The database refuses a row about somebody who was erased (0012_rights.sql)."""
PERSON_IS_ANOTHERS = "LG005"
"""The database refuses a row about somebody who became one with another person (0032_linking.sql)."""


class Door(StrEnum):
    """The kinds of key by which a tenant is found before row-level security knows it (design 2)."""

    DISTRICT = "district"
    CLIENT = "client"
    ISSUER = "issuer"
    DEPLOYMENT = "deployment"
    SESSION = "session"
    TICKET = "ticket"
    TOKEN = "token"  # noqa: S105 - a kind of door
    INVITATION = "invitation"
    PLATFORM_INVITATION = "platform_invitation"
    REGISTRATION = "registration"
    GRANT = "grant"
    RUN = "run"
    PICKER = "picker"
    OWN_PAGE = "own_page"
    TENANT = "tenant"
    CONNECTION = "connection"
    DELETION = "deletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Whose a key is: the district, and the row that the key opens."""

    district_id: DistrictId
    target_id: UUID


class Database:
    """Transactions on one PostgreSQL database, always under the application role.

    The role owns nothing and is subject to row-level security, also where the login is a superuser
    (design 2, "Roles"). Pools open after the fork: build one per process.
    """

    def __init__(self, url: str, *, role: str | None, pool_size: int = POOL_SIZE) -> None:
        options = f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}"
        if role is not None:
            options += f" -c role={role}"
        self.url = url
        self.role = role
        self.options = options
        self.engine = self._engine(pool_size)
        self._singles: deque[SingleStatements] = deque()

    def _engine(self, pool_size: int) -> Engine:
        return sa.create_engine(
            sqlalchemy_url(self.url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            connect_args={"options": self.options, "prepare_threshold": 3},
        )

    @contextmanager
    def tenant(self, district_id: DistrictId) -> Iterator[Connection]:
        """One transaction that sees and writes one district's rows; committed at the end, else rolled back.

        Raises:
            GrantRevoked: something was to be written by a grant that does not stand (any more); here as in `anyone`.
        """
        with _told(), self.engine.begin() as connection:
            enter(connection, district_id)
            yield connection

    @contextmanager
    def anyone(self) -> Iterator[Connection]:
        """One transaction with no tenant: it sees no district's rows until it enters one by a door."""
        with _told(), self.engine.begin() as connection:
            yield connection

    @cached_property
    def _apart(self) -> Engine:
        return self._engine(APART_POOL_SIZE)

    @contextmanager
    def apart(self, district_id: DistrictId) -> Iterator[Connection]:
        """As `tenant`, from a small pool of its own: for a transaction that stays open while something is sent.

        Whoever waits in here for another system takes no request's connection away (design 2, "Revocation").
        """
        with self._apart.begin() as connection:
            enter(connection, district_id)
            yield connection

    def once(self, statement: Statement, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """One statement that is a transaction by itself, with no tenant: its first row, or None.

        For statements that enter their tenant themselves: it saves BEGIN and COMMIT their way to the server. They run
        on connections of their own, of which there are never more than requests at once.

        Raises:
            GrantRevoked: as in `tenant`.
        """
        with _told(), self._single() as single:
            return single.first(statement, values)

    def once_every(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """As `once`: every row."""
        with _told(), self._single() as single:
            return single.every(statement, values)

    @contextmanager
    def _single(self) -> Iterator[SingleStatements]:
        single = self._idle_single()
        try:
            yield single
        finally:
            if single.closed:
                # The server went away under this one, and under those that wait.
                self._close_singles()
            else:
                self._singles.append(single)

    def _idle_single(self) -> SingleStatements:
        with suppress(IndexError):
            return self._singles.pop()
        fresh = self.engine.raw_connection()
        raw = fresh.driver_connection
        assert isinstance(raw, psycopg.Connection)
        fresh.detach()
        return SingleStatements(raw)

    def _close_singles(self) -> None:
        with suppress(IndexError):
            while True:
                self._singles.pop().close()

    def dispose(self) -> None:
        self._close_singles()
        self.engine.dispose()
        if "_apart" in self.__dict__:
            self._apart.dispose()


@contextmanager
def _told() -> Iterator[None]:
    """The database's own refusal, in our words."""
    try:
        yield
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        raw = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if getattr(raw, "sqlstate", None) == GRANT_DOES_NOT_STAND:
            raise GrantRevoked("The connection was withdrawn meanwhile; nothing was kept.") from error
        if getattr(raw, "sqlstate", None) == PERSON_IS_ERASED:
            raise NotFound("This account was erased meanwhile; nothing was kept.") from error
        if getattr(raw, "sqlstate", None) == PERSON_IS_ANOTHERS:
            raise Conflict("This account became one with another meanwhile; nothing was kept. Begin again.") from error
        raise


def enter(connection: Connection, district_id: DistrictId) -> None:
    """From here to the end of the transaction, row-level security shows this district alone."""
    _SET_TENANT.run(connection, {"district": str(district_id)})


def enter_by(connection: Connection, door: Door, key_hash: bytes) -> Found | None:
    """Look a key up in the directory and enter its district; None for a key that opens nothing."""
    row = _ENTER_BY.one(connection, {"kind": door.value, "key": key_hash})
    return None if row is None else Found(district_id=row[0], target_id=row[1])


def find_by(connection: Connection, door: Door, key_hash: bytes) -> list[Found]:
    """Every district that has this key, oldest first, without entering one."""
    rows = connection.execute(_FIND_BY, {"kind": door.value, "key": key_hash})
    return [Found(district_id=row.district_id, target_id=row.target_id) for row in rows]


def open_door(connection: Connection, door: Door, key_hash: bytes, target_id: UUID, until: Any = None) -> bool:
    """Put a key of the present district into the directory; False where it is taken (say so generically)."""
    values = {"kind": door.value, "key": key_hash, "target": target_id, "until": until}
    return _OPEN_DOOR.one(connection, values) is not None


def close_door(connection: Connection, door: Door, target_id: UUID) -> None:
    """Take the keys of one row of the present district out of the directory."""
    connection.execute(_CLOSE_DOOR, {"kind": door.value, "target": target_id})


def entered(connection: Connection, door: Door, key_hash: bytes) -> Found:
    """`enter_by`, or `NotFound`, the same for absent and for not yours."""
    found = enter_by(connection, door, key_hash)
    if found is None:
        raise NotFound("It may have expired, or the address is not complete.")
    return found


_SET_TENANT = Statement("SELECT set_config('app.district', :district, true)")
_ENTER_BY = Statement("SELECT district_id, target_id FROM directory_enter(:kind, :key)")
_FIND_BY = sa.text("SELECT district_id, target_id FROM directory_find(:kind, :key)")
_OPEN_DOOR = Statement(
    "INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)"
    " VALUES (:kind, :key, current_district(), :target, :until)"
    " ON CONFLICT DO NOTHING RETURNING 1"
)
_CLOSE_DOOR = sa.text("SELECT directory_close(:kind, :target)")


def sqlalchemy_url(url: str) -> sa.URL:
    """The psycopg 3 form of a `postgresql://` address."""
    return make_url(url).set(drivername="postgresql+psycopg")


def connect(url: str, *, role: str | None = None, **options: Any) -> psycopg.Connection[Any]:
    """A plain connection, outside any pool: for locks that outlive a request, migrations and checks."""
    settings = "-c timezone=UTC" + (f" -c role={role}" if role else "")
    return psycopg.connect(url, options=settings, **options)


@functools.cache
def application_role(database: str) -> str:
    """The NOLOGIN role of one database, as `db upgrade` makes it; PostgreSQL cuts names at 63 bytes."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in database.lower())
    return f"{safe[:45]}_lti_server_app"


def database_name(url: str) -> str:
    """The database that an address names.

    Raises:
        ConfigurationError: the address names none.
    """
    name = make_url(url).database
    if not name:
        raise ConfigurationError(["LTI_SERVER_DATABASE_URL must name a database: postgresql://host/name."])
    return name
