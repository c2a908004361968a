"""`lti-server serve` and `worker` as they run in production, on the bundled PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psutil
import psycopg

from lti_server.postgres import BundledPostgres
from tests.waiting import until


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(data_dir: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A command of ours and the file of its standard error; it is told to end when the block does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTI_SERVER_")}
    environment |= {"LTI_SERVER_DATA_DIR": str(data_dir), "LTI_SERVER_SECRET_KEYS": "k" * 40}
    log = data_dir / f"{arguments[0]}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "lti_server", *arguments], env=environment, stderr=file)
        try:
            yield process, log
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            process.wait(timeout=40)


def _answers(port: int, path: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(json.load(answer) == {"ok": True})
    except OSError:
        return False


def _is_gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def _cluster_runs(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "postmaster.pid").exists()


def test_the_server_outlives_its_workers_holds_the_database_and_ends_with_it(data_dir: Path) -> None:
    port = _free()
    with _running(data_dir, "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1") as (server, log):
        until(lambda: _answers(port, "/readyz"), within_s=60, what="the first answer")
        (worker,) = psutil.Process(server.pid).children()
        for number in (signal.SIGKILL, signal.SIGTERM):
            worker.send_signal(number)
            until(partial(_is_gone, worker), what="its end")
            until(lambda: _answers(port, "/readyz"), within_s=60, what="an answer of another worker")
            (worker,) = psutil.Process(server.pid).children()
        assert _cluster_runs(data_dir), "a worker's end is not the cluster's"
        users = json.loads((data_dir / "postgres.users.json").read_text(encoding="utf-8"))
        assert [user[0] for user in users] == [server.pid]
        server.terminate()
        assert server.wait(timeout=40) == 0
    assert not _cluster_runs(data_dir)
    requests = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if '"request"' in line]
    assert {line["route"] for line in requests} == {"/readyz"}


def test_the_worker_ends_when_it_is_told_to_and_when_nothing_is_left(data_dir: Path) -> None:
    cluster = BundledPostgres(data_dir)
    url = cluster.hold()
    try:
        with _running(data_dir, "worker", "--until-idle") as (idle, _):
            assert idle.wait(timeout=60) == 0
        with _running(data_dir, "worker") as (worker, _), psycopg.connect(url, autocommit=True) as connection:
            until(lambda: _listens(connection), within_s=60, what="the worker's wait for jobs")
            worker.terminate()
            assert worker.wait(timeout=40) == 0
            assert _workers(connection) == 0
        assert _cluster_runs(data_dir), "somebody else still uses it"
    finally:
        cluster.release()


def _listens(connection: psycopg.Connection) -> bool:
    """By then the worker takes the signal itself, and ends its jobs first."""
    found = connection.execute("SELECT 1 FROM pg_stat_activity WHERE query ILIKE 'listen %' LIMIT 1").fetchone()
    return found is not None


def _workers(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
    assert row is not None
    return int(row[0])
