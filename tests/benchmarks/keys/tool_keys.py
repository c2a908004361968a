"""The tool's key is rotated while launches and grades are in flight, against an LMS that keeps key sets.

Time is scaled: a day lasts `DAY_S`, and the LMS keeps the key set for half of one, whatever it meets meanwhile. The
week of the former key is a day here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from joserfc import jws
from lti_server_demo_lms import keys as lms_keys

from lti_server.ids import SystemClock
from lti_server.lti import keys
from lti_server.providers.transport import HttpTransport
from lti_server.providers.wire import Response
from lti_server.settings import Settings
from tests.functional.street import Street, street

DAY_S = 24.0
BUSY = 3
SECRET = "a-secret-key-of-the-key-test-long-enough"


@dataclass
class Seen:
    """What the LMS met: calls of the tool by outcome, and the keys that signed them."""

    calls: int = 0
    failed: list[str] = field(default_factory=list)
    kids: set[str] = field(default_factory=set)
    launches: int = 0
    broken: list[str] = field(default_factory=list)

    sending: set[object] = field(default_factory=set)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count what the tool's calls come to; a token's own assertion says which key signed it."""
        send = HttpTransport.request

        def counted(transport: HttpTransport, method: str, url: str, **how: Any) -> Response:
            assertion = (how.get("form") or {}).get("client_assertion")
            if assertion:
                self.kids.add(str(jws.extract_compact(assertion.encode()).headers()["kid"]))
            self.calls += 1
            try:
                answer = send(transport, method, url, **how)
            except Exception as error:
                self.failed.append(f"{url} {type(error).__name__}")
                raise
            if answer.status >= 400:
                self.failed.append(f"{url} {answer.status}")
            return answer

        HttpTransport.request = counted  # type: ignore[assignment,method-assign]  # the one way out, listened to
        try:
            yield
        finally:
            HttpTransport.request = send  # type: ignore[method-assign]  # as it was


@contextmanager
def scaled(fetched: threading.Event) -> Iterator[None]:
    """A short day, and an LMS that keeps a key set for half of it, also where a key is not in it.

    `fetched` is set whenever the LMS has read the set.
    """
    former = keys.PUBLISHED_BEFORE, keys.PUBLISHED_AFTER, lms_keys.FRESH_S, lms_keys.REFETCH_S
    fetch = lms_keys._fetch

    def noted(url: str) -> Any:
        found = fetch(url)
        fetched.set()
        return found

    lms_keys._fetch = noted
    keys.PUBLISHED_BEFORE = keys.PUBLISHED_AFTER = timedelta(seconds=DAY_S)
    lms_keys.FRESH_S = lms_keys.REFETCH_S = DAY_S / 2
    try:
        yield
    finally:
        lms_keys._fetch = fetch
        keys.PUBLISHED_BEFORE, keys.PUBLISHED_AFTER, lms_keys.FRESH_S, lms_keys.REFETCH_S = former


def rotate(url: str, directory: Path) -> Seen:
    """Two days of work around a rotation; what came of it."""
    seen, fetched = Seen(), threading.Event()
    settings = Settings(database_url=url, data_dir=directory, secret_keys=(SECRET,))
    with scaled(fetched), seen.listening(), street(settings, url, SystemClock(), directory / "lms") as here:
        over = threading.Event()
        threads = [threading.Thread(target=_work, args=(here, number, over, seen)) for number in range(BUSY)]
        for thread in threads:
            thread.start()
        time.sleep(DAY_S / 4)
        fetched.clear()
        fetched.wait(4 * DAY_S)  # the worst moment: the LMS keeps the former set for as long as it can
        here.house.tool_keys.rotate()
        ends = time.monotonic() + 2.5 * DAY_S
        while time.monotonic() < ends:
            here.house.tool_keys.retire()
            time.sleep(0.5)
        over.set()
        for thread in threads:
            thread.join()
        states = [one.state for one in here.house.tool_keys.every()]
        if states != ["retired", "signing"]:
            seen.broken.append(f"the keys ended as {states}")
    return seen


def _work(here: Street, number: int, over: threading.Event, seen: Seen) -> None:
    """One pupil after another opens the lesson, solves a puzzle, and has the grade sent with a token of its own."""
    pupils = here.pupils[number::BUSY]
    turn = 0
    while not over.is_set():
        try:
            token = here.token(here.pupils.index(pupils[turn % len(pupils)]))
            # A little better each time, so that there is always another grade to send.
            here.save(token, score=min(1.0, 0.01 * (1 + turn // len(pupils))))
            seen.launches += 1
            with here.house.database.tenant(here.district.id) as connection:
                connection.execute(sa.text("DELETE FROM service_token"))
            for row in here.deliveries():
                if row.state == "queued":
                    _deliver(here, row.id, seen)
        except Exception as error:  # whatever fails is counted, and fails the run
            seen.broken.append(f"{type(error).__name__}: {error}"[:200])
        turn += 1


def _deliver(here: Street, delivery_id: object, seen: Seen) -> None:
    """As one worker among several: a job that another is at is left to it."""
    if delivery_id in seen.sending:
        return
    seen.sending.add(delivery_id)
    try:
        here.house.handlers()["grades.deliver"](str(here.district.id), str(delivery_id))
    finally:
        seen.sending.discard(delivery_id)
