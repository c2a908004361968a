"""Work is queued with the data that wants it, and done although workers die."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from lti_server import tasks
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.db import Door, open_door
from lti_server.tasks import Worker
from tests import world
from tests.clock import FakeClock
from tests.waiting import until

# A worker whose heart beats fast, so that its death is noticed within seconds.
QUICK = """
import sys
from pathlib import Path
from lti_server import tasks
tasks.HEARTBEAT_S, tasks.STALLED_AFTER_S, tasks.RESCUE_EVERY = 0.3, 1.5, "* * * * * */1"
url, options, where = sys.argv[1:]
def hang(number):
    Path(where, "begun").touch()
    sys.stdin.read()
def finish(number):
    Path(where, f"finished {number}").touch()
"""
HANGS = QUICK + 'tasks.Worker(url, options, {"work": hang}, lambda: None).run()'
ROUND = 'tasks.Round(task="look", cron="* * * * * */1", work=lambda: finish(8))'
GOES_ROUNDS = QUICK + f"tasks.Worker(url, options, {{}}, lambda: None, rounds=[{ROUND}]).run()"
FINISHES = QUICK + 'tasks.Worker(url, options, {"work": finish}, lambda: None).run()'


def _count(house: House, table: str) -> int:
    with house.database.anyone() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one())


def _jobs(house: House) -> int:
    """Jobs of the test; the queue's own periodic ones come whenever a minute begins."""
    with house.database.anyone() as connection:
        found = connection.execute(sa.text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'work'"))
        return int(found.scalar_one())


def _work(house: House, **handlers: tasks.Handler) -> None:
    Worker(house.database.url, house.database.options, handlers, lambda: None).run(until_idle=True)


def test_a_committed_job_is_done_once_with_what_it_was_given(house: House) -> None:
    done: list[object] = []
    with house.database.anyone() as connection:
        house.queue.defer(connection, "work", number=7, word="x")
    _work(house, work=lambda **given: done.append(given))
    _work(house, work=lambda **given: done.append(given))
    assert done == [{"number": 7, "word": "x"}]


def test_a_rollback_leaves_no_job(house: House) -> None:
    with house.database.engine.connect() as connection:
        house.queue.defer(connection, "work", number=7)
        house.queue.defer(connection, "work", queueing_lock="once", number=7)
        connection.rollback()
    assert _jobs(house) == 0


def test_a_second_job_of_a_queueing_lock_is_not_queued_and_spoils_nothing(house: House) -> None:
    with house.database.anyone() as connection:
        assert house.queue.defer(connection, "work", queueing_lock="once", number=1)
        assert not house.queue.defer(connection, "work", queueing_lock="once", number=2)
        assert house.queue.defer(connection, "work", number=3)
    assert _jobs(house) == 2


def test_a_job_of_the_future_waits(house: House) -> None:
    done: list[object] = []
    with house.database.anyone() as connection:
        house.queue.defer(connection, "work", schedule_at=house.clock.now() + timedelta(hours=1), number=7)
    _work(house, work=lambda **given: done.append(given))
    assert not done
    assert _jobs(house) == 1


def test_a_job_that_fails_is_kept_for_another_try_and_the_others_run(house: House) -> None:
    done: list[int] = []

    def fails_at_one(number: int) -> None:
        if number == 1:
            raise RuntimeError
        done.append(number)

    with house.database.anyone() as connection:
        for number in (1, 2):
            house.queue.defer(connection, "work", number=number)
    _work(house, work=fails_at_one)
    assert done == [2]
    with house.database.anyone() as connection:
        left = connection.execute(sa.text("SELECT status::text, scheduled_at > now() FROM procrastinate_jobs")).all()
    assert [tuple(row) for row in left] == [("todo", True)]


def test_the_worker_is_under_the_application_role(house: House) -> None:
    with house.database.anyone() as connection:
        house.queue.defer(connection, "work", number=1)
    app = Worker(house.database.url, house.database.options, {}, lambda: None)._app(1)
    options = app.connector._pool_args["kwargs"]["options"]  # type: ignore[attr-defined]  # procrastinate's own
    assert f"role={house.database.role}" in options


def test_the_job_of_a_killed_worker_is_done_by_another(house: House, tmp_path: Path) -> None:
    with house.database.anyone() as connection:
        house.queue.defer(connection, "work", number=7)
    with _worker(HANGS, house, tmp_path) as worker:
        until((tmp_path / "begun").exists, what="the start of the job")
        worker.kill()
    with _worker(FINISHES, house, tmp_path) as worker:
        until((tmp_path / "finished 7").exists, what="the rescue of the job")
        worker.terminate()
        assert worker.wait(timeout=30) == 0


def test_a_round_is_gone_at_its_times(house: House, tmp_path: Path) -> None:
    with _worker(GOES_ROUNDS, house, tmp_path) as worker:
        for _ in range(2):
            until((tmp_path / "finished 8").exists, what="a round")
            (tmp_path / "finished 8").unlink()
        worker.terminate()
        assert worker.wait(timeout=30) == 0


def test_a_dead_worker_is_noticed_within_a_minute() -> None:
    every_s = int(tasks.RESCUE_EVERY.split("/")[1])
    assert tasks.STALLED_AFTER_S + every_s + tasks.HEARTBEAT_S < 60
    assert tasks.STALLED_AFTER_S > 3 * tasks.HEARTBEAT_S


def _worker(program: str, house: House, where: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, house.database.url, house.database.options, str(where)],
        stdin=subprocess.PIPE,
        text=True,
    )


def test_a_sweep_takes_what_is_spent_and_nothing_else(house: House, clock: FakeClock) -> None:
    owner = world.district(house)
    soon, late = clock.now() + timedelta(minutes=1), clock.now() + timedelta(days=1)
    with house.database.tenant(owner.id) as connection:
        for at, key in ((soon, b"soon"), (late, b"late")):
            connection.execute(
                sa.text("INSERT INTO spent_nonce (district_id, nonce_hash, expires_at) VALUES (:d, :n, :at)"),
                {"d": owner.id, "n": key, "at": at},
            )
            open_door(connection, Door.TICKET, key, uuid4(), at)
    house.invitations.invite(StaffRole.OPERATOR, None)
    clock.pass_s(3600)
    house.sweep()
    with house.database.tenant(owner.id) as connection:
        left = connection.execute(sa.text("SELECT nonce_hash FROM spent_nonce")).scalars().all()
    assert [bytes(key) for key in left] == [b"late"]
    assert _count(house, "invitation") == 1
    clock.pass_s(8 * 86400)
    house.sweep()
    assert _count(house, "invitation") == 0
