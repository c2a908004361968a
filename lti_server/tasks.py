"""Background work: procrastinate on the same PostgreSQL. Jobs are deferred on the caller's own transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import procrastinate
import sqlalchemy as sa
import structlog
from procrastinate import exceptions as queue_errors
from procrastinate.retry import RetryStrategy
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import Clock, DistrictId

Handler = Callable[..., None]

HEARTBEAT_S = 5.0
STALLED_AFTER_S = 20.0
RESCUE_EVERY = "* * * * * */10"
SWEEP_EVERY = "*/5 * * * *"
ATTEMPTS = 12


class Queue:
    """Where work is put. Arguments are ids and numbers: never anything about a person."""

    def __init__(self) -> None:
        # Never opened: each job goes out on the connection of whoever defers it.
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    def defer(
        self,
        connection: Connection,
        task: str,
        *,
        lock: str | None = None,
        queueing_lock: str | None = None,
        schedule_at: datetime | None = None,
        **arguments: str | int,
    ) -> bool:
        """Put a job into the queue on this transaction: a rollback leaves none.

        `lock`: jobs of one lock run one after another. `queueing_lock`: at most one such job waits; the answer is
        False where one does already.
        """
        raw = connection.connection.driver_connection
        deferrer = self._app.configure_task(
            task, lock=lock, queueing_lock=queueing_lock, schedule_at=schedule_at, connection=raw
        )
        if queueing_lock is None:
            deferrer.defer(**arguments)
            return True
        savepoint = connection.begin_nested()
        try:
            deferrer.defer(**arguments)
        except queue_errors.AlreadyEnqueued:
            savepoint.rollback()
            return False
        savepoint.commit()
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What every worker does again and again, however busy it is; several workers may be at it at once."""

    every_s: float
    work: Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is done at the times of a cron line by one worker at a time, however many there are."""

    task: str
    cron: str
    work: Callable[[], object]


class Worker:
    """Runs handlers by task name until it is told to stop; a dead worker's jobs are run by another within 60 s.

    `steady` is called every so many seconds besides: work of milliseconds that must not wait for a free place.
    """

    def __init__(
        self,
        url: str,
        options: str,
        handlers: Mapping[str, Handler],
        sweep: Callable[[], None],
        steady: Steady | None = None,
        rounds: Sequence[Round] = (),
    ) -> None:
        self._url = url
        self._options = options
        self._handlers = dict(handlers)
        self._sweep = sweep
        self._steady = steady
        self._rounds = rounds

    def run(self, *, concurrency: int = 4, until_idle: bool = False) -> None:
        """Work. `until_idle`: return once nothing is left that may run now."""
        asyncio.run(self._run(concurrency, until_idle))

    async def _run(self, concurrency: int, until_idle: bool) -> None:
        app = self._app(concurrency)
        async with app.open_async():
            beating = asyncio.create_task(_beat(self._steady, once=until_idle))
            try:
                await app.run_worker_async(
                    concurrency=concurrency,
                    wait=not until_idle,
                    install_signal_handlers=not until_idle,
                    delete_jobs="successful",
                    fetch_job_polling_interval=2.0,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_AFTER_S,
                    shutdown_graceful_timeout=25.0,
                )
            finally:
                if not until_idle:
                    beating.cancel()
                with suppress(asyncio.CancelledError):
                    await beating

    def _app(self, concurrency: int) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._url, kwargs={"options": self._options}, min_size=1, max_size=concurrency + 3
        )
        app = procrastinate.App(connector=connector)
        retry = RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2)
        for name, handler in self._handlers.items():
            app.task(name=name, retry=retry)(handler)
        self._add_housekeeping(app)
        for one in self._rounds:
            _add_round(app, one)
        return app

    def _add_housekeeping(self, app: procrastinate.App) -> None:
        sweep = self._sweep

        @app.periodic(cron=RESCUE_EVERY)
        @app.task(name="queue.rescue", queueing_lock="queue.rescue", retry=False)
        async def rescue(timestamp: int) -> None:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
                structlog.get_logger("lti_server.tasks").warning("job of a dead worker", task=job.task_name, job=job.id)
                await _run_again(app, job)

        @app.periodic(cron=SWEEP_EVERY)
        @app.task(name="queue.sweep", queueing_lock="queue.sweep", retry=False)
        def sweep_spent(timestamp: int) -> None:
            sweep()


def _add_round(app: procrastinate.App, one: Round) -> None:
    """A round that fails is told, and the next one comes at its time."""

    @app.periodic(cron=one.cron)
    @app.task(name=one.task, lock=one.task, queueing_lock=one.task, retry=False)
    def go_round(timestamp: int) -> None:
        one.work()


async def _beat(steady: Steady | None, *, once: bool) -> None:
    """A failure is told and does not stop the next one: the database may be away for a while."""
    while steady is not None:
        try:
            await asyncio.to_thread(steady.work)
        except Exception as error:
            structlog.get_logger("lti_server.tasks").warning("steady work failed", error=type(error).__name__)
        if once:
            return
        await asyncio.sleep(steady.every_s)


async def _run_again(app: procrastinate.App, job: procrastinate.jobs.Job) -> None:
    """Put a job back into the queue; where another of its queueing lock waits already, that one does its work."""
    try:
        await app.job_manager.retry_job(job)
    except (queue_errors.UniqueViolation, queue_errors.AlreadyEnqueued):
        await app.job_manager.finish_job(job, status=procrastinate.jobs.Status.FAILED, delete_job=True)


class Sweep:
    """Takes away what is spent: expired rows of the tables that it was given, and the doors that they had.

    `resume` is called in each district's transaction, and once (None) where no district is entered.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        tables: Sequence[str],
        resume: Callable[[Connection, DistrictId | None], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._expired = [_expired(table) for table in tables]
        self._resume = resume

    def __call__(self) -> None:
        now = {"now": self._clock.now()}
        with self._database.anyone() as connection:
            for statement in self._expired:
                connection.execute(statement, now)
            connection.execute(sa.text("SELECT directory_sweep(:now)"), now)
            self._resume(connection, None)
            districts = connection.execute(sa.text("SELECT district_ids()")).scalars().all()
        for district_id in map(DistrictId, districts):
            with self._database.tenant(district_id) as connection:
                for statement in self._expired:
                    connection.execute(statement, now)
                self._resume(connection, district_id)


def _expired(table: str) -> sa.Delete:
    expires_at: sa.ColumnClause[datetime] = sa.column("expires_at", sa.DateTime(timezone=True))
    return sa.delete(sa.table(table, expires_at)).where(expires_at < sa.bindparam("now"))
