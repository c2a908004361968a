"""Processes that read, send and write under a grant, and can be stopped or killed between any two of their steps."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any
from uuid import UUID

import requests
import sqlalchemy as sa

from lti_server.errors import LtiServerError
from lti_server.house import House, build_house
from lti_server.ids import DistrictId, GrantId, SectionId, new_id
from lti_server.lti.tokens import service_of
from lti_server.privacy.fence import Fence
from lti_server.providers.connections import GuardedAdapter
from lti_server.providers.errors import ProviderFault
from lti_server.settings import Settings

SECRET = "a-secret-key-of-the-revocation-test"
ANSWER_S = 60.0
SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


class Act(StrEnum):
    """What a worker does: the product's own code, but for the session, which is a launch's last statement."""

    SYNC = "sync"
    TOKEN = "token"
    SCORE = "score"
    SESSION = "session"


class Point(StrEnum):
    """Where a worker can be stopped: each lies between a check and what relies on it."""

    CHECKED = "after the first check"
    SENDING = "before a request"
    ANSWERED = "after the answer"
    COMMITTING = "before a commit"


@dataclass(frozen=True)
class Ids:
    """One history's grant and what hangs on it."""

    client: str
    district: DistrictId
    grant: GrantId
    section: SectionId
    delivery: UUID


def settings_of(url: str, host: str, data_dir: Path = Path("/nonexistent")) -> Settings:
    """Whoever revokes keeps a journal in `data_dir`; a worker does not."""
    return Settings(database_url=url, data_dir=data_dir, secret_keys=(SECRET,), insecure_hosts=frozenset({host}))


class Worker:
    """One process, as the history drives it. `stopped_at` is where it stands still, if it does."""

    def __init__(self, url: str, host: str) -> None:
        self._start: Callable[[], tuple[Any, Pipe]] = lambda: _started(url, host)
        self._process, self._pipe = self._start()
        self.stopped_at: Point | None = None
        self.act: Act | None = None

    def begin(self, act: Act, ids: Ids, stop_at: Point | None, nth: int = 1) -> str | None:
        """Let it act until it is done (how it ended) or stands at the point (None), stopped by SIGSTOP."""
        self.act = act
        self._pipe.send((act, ids, stop_at, nth))
        return self._wait()

    def go_on(self) -> str:
        """SIGCONT; how the act ended."""
        os.kill(self._process.pid, signal.SIGCONT)
        self.stopped_at = None
        self._pipe.send("go")
        found = self._wait()
        assert found is not None
        return found

    def kill(self) -> None:
        """SIGKILL where it stands, and a new process in its place."""
        self.end()
        self._process, self._pipe = self._start()

    def end(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._pipe.close()
        self.stopped_at = self.act = None

    def _wait(self) -> str | None:
        if not self._pipe.poll(ANSWER_S):
            raise AssertionError(f"a worker did not come back from {self.act}")
        kind, what = self._pipe.recv()
        if kind == "at":
            os.kill(self._process.pid, signal.SIGSTOP)
            self.stopped_at = what
            return None
        self.act = None
        return str(what)


def _started(url: str, host: str) -> tuple[Any, Pipe]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.benchmarks.revocation.workers"])
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, url, host), daemon=True)
    process.start()
    theirs.close()
    return process, ours


class _Yields:
    """Stands still at the wanted point, the n-th time that it is come by."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.wanted: Point | None = None
        self.left = 0

    def at(self, point: Point) -> None:
        if point is not self.wanted:
            return
        self.left -= 1
        if self.left == 0:
            self._pipe.send(("at", point))
            self._pipe.recv()


def work(pipe: Pipe, url: str, host: str) -> None:
    """The process: acts as it is told, and says how each act ended."""
    yields = _Yields(pipe)
    _instrument(yields)
    house = build_house(settings_of(url, host), url)
    sa.event.listen(house.database.engine, "commit", lambda connection: yields.at(Point.COMMITTING))
    while True:
        try:
            act, ids, yields.wanted, yields.left = pipe.recv()
        except EOFError:
            return
        pipe.send(("done", _ended(lambda: ACTS[act](house, ids))))  # noqa: B023 - called at once


def _instrument(yields: _Yields) -> None:
    """Points around the fence and around the one place where requests leave."""
    holding, send = Fence.holding, GuardedAdapter.send

    @contextmanager
    def held(self: Fence, *args: Any, **more: Any) -> Any:
        yields.at(Point.CHECKED)
        with holding(self, *args, **more):
            yield

    def sent(self: GuardedAdapter, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        yields.at(Point.SENDING)
        answer = send(self, request, *args, **more)
        yields.at(Point.ANSWERED)
        return answer

    Fence.holding = held  # type: ignore[method-assign]  # a point before it
    GuardedAdapter.send = sent  # type: ignore[method-assign]  # points around it


def _ended(act: Callable[[], object]) -> str:
    try:
        found = act()
    except (LtiServerError, ProviderFault) as refused:
        return f"refused: {type(refused).__name__}"
    return "done" if found is None else str(found)


def _sync(house: House, ids: Ids) -> str:
    with house.database.tenant(ids.district) as connection:
        district = house.entered(connection)
    return house.sync_roster()(district, section_id=ids.section).state.value


def _token(house: House, ids: Ids) -> None:
    with house.database.tenant(ids.district) as connection:
        service = service_of(connection, house.entered(connection), ids.grant)
    scopes = [f"{SCOPE}#{os.getpid()}"]  # a row of its own: nobody waits for a stopped one's
    house.service_tokens.forget(service, scopes)
    house.service_tokens.bearer(service, scopes)


def _score(house: House, ids: Ids) -> None:
    with house.database.tenant(ids.district) as connection:
        connection.execute(
            sa.text(
                "UPDATE grade_delivery SET state = 'queued' WHERE id = :id AND state = 'delivered'"
                " AND grant_hold(grant_id, epoch, NULL)"
            ),
            {"id": ids.delivery},
        )
    house.deliver_grade()(str(ids.district), str(ids.delivery))


def _session(house: House, ids: Ids) -> None:
    now = house.clock.now()
    with house.database.tenant(ids.district) as connection:
        service = service_of(connection, house.entered(connection), ids.grant)
        connection.execute(
            sa.text(
                "INSERT INTO session (id, district_id, role, grant_id, grant_epoch, created_at, expires_at)"
                " VALUES (:id, :district, 'pupil', :grant, :epoch, :now, :until)"
            ),
            {
                "id": new_id(), "district": ids.district, "grant": ids.grant, "epoch": service.epoch, "now": now,
                "until": now + timedelta(hours=1),
            },
        )  # fmt: skip


ACTS: dict[Act, Callable[[House, Ids], object]] = {
    Act.SYNC: _sync, Act.TOKEN: _token, Act.SCORE: _score, Act.SESSION: _session,
}  # fmt: skip
