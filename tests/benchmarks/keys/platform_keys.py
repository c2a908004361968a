"""Platforms that rotate, hang and go down, against this server as several processes on one database."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests
from lti_server_demo_lms.serving import listen

from lti_server.app import build_house
from lti_server.ids import SystemClock
from lti_server.settings import Settings
from tests import world
from tests.benchmarks.kill9 import Program, answers, until
from tests.peers.bare_platform import Platform, rsa_key, serving

WORKERS = 3
BUSY = 12
RANDOM_KIDS = 1_000
HANG_S = 15.0
SECRET = "a-secret-key-of-the-key-test-long-enough"


@dataclass
class Hanging(Platform):
    """Takes a request for its keys, and does not answer while it hangs."""

    answer: threading.Event = field(default_factory=threading.Event)

    def jwks(self) -> dict[str, Any]:
        self.answer.wait(30)
        return super().jwks()


@dataclass
class Served:
    """The server under test."""

    address: str

    def launch(self, platform: Platform, kid: str = "key-1", header_kid: str | None = None) -> tuple[int, float]:
        """One launch in a browser of its own: its status, and how long it took (s)."""
        began = time.monotonic()
        asked = {
            "iss": platform.issuer, "client_id": platform.client_id, "login_hint": "somebody",
            "target_link_uri": f"{self.address}/lti/launch",
        }  # fmt: skip
        with requests.Session() as browser:
            sent = browser.get(f"{self.address}/lti/login", params=asked, timeout=60, allow_redirects=False)
            sent.raise_for_status()
            query = parse_qs(urlsplit(sent.headers["Location"]).query)
            said = {"lti_target_link_uri": f"{self.address}/lti/launch", "sub": f"pupil-{uuid4().int % 20}"}
            claims = platform.claims(query["nonce"][0], SystemClock().now(), **said)
            token = platform.sign(claims, kid=kid, header=None if header_kid is None else {"kid": header_kid})
            form = {"id_token": token, "state": query["state"][0]}
            answer = browser.post(f"{self.address}/lti/launch", data=form, timeout=60, allow_redirects=False)
        return answer.status_code, time.monotonic() - began

    def many(self, platform: Platform, count: int, **how: str) -> list[tuple[int, float]]:
        """So many launches, some at a time."""
        with ThreadPoolExecutor(BUSY) as pool:
            return list(pool.map(lambda _: self.launch(platform, **how), range(count)))


@contextmanager
def served(url: str, directory: Path, platforms: list[Platform]) -> Iterator[Served]:
    """This server as it runs in production, with a district for each platform."""
    socket = listen("127.0.0.1", 0)
    host = f"127.0.0.1:{socket.getsockname()[1]}"
    socket.close()
    insecure = frozenset(one.address.removeprefix("http://") for one in platforms)
    settings = Settings(
        database_url=url, data_dir=directory, secret_keys=(SECRET,), base_url=f"http://{host}", insecure_hosts=insecure
    )
    house = build_house(settings, url)
    for number, one in enumerate(platforms):
        world.register(house, world.district(house, f"district-{number}"), one)
    house.database.dispose()
    environment = {
        **os.environ, "LTI_SERVER_DATABASE_URL": url, "LTI_SERVER_SECRET_KEYS": SECRET,
        "LTI_SERVER_BASE_URL": settings.base_url, "LTI_SERVER_INSECURE_HOSTS": ",".join(insecure),
        "LTI_SERVER_DATA_DIR": str(directory), "LTI_SERVER_LOG_LEVEL": "CRITICAL",
    }  # fmt: skip
    server = Program(["serve", "--bind", host, "--workers", str(WORKERS)], environment)
    try:
        until(lambda: answers(f"{settings.base_url}/healthz"), 90, "the server answers")
        yield Served(settings.base_url)
    finally:
        server.stop()


def platforms() -> tuple[Platform, Hanging]:
    """A platform that does as it should, and one that can hang."""
    return Platform(issuer="https://good.example"), Hanging(issuer="https://hanging.example")


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, and whether it is as it must be."""

    what: str
    found: str
    holds: bool


def measure(url: str, directory: Path) -> Iterator[Figure]:
    """Each figure as it is known."""
    good, hanging = platforms()
    with serving(hanging), served_platform(good) as end, served(url, directory, [good, hanging]) as server:
        yield from _rotated(server, good)
        yield from _random_kids(server, good)
        yield from _hung(server, good, hanging)
        end()
        opened = [status for status, _ in server.many(good, 50, kid="key-2")]
        yield Figure(
            "key set's host down, 50 launches with a known kid", f"{opened.count(303)} opened", opened == [303] * 50
        )


@contextmanager
def served_platform(platform: Platform) -> Iterator[Callable[[], None]]:
    """A platform whose key set can be taken away before the block ends."""
    context = serving(platform)
    context.__enter__()
    ended = threading.Event()

    def end() -> None:
        if not ended.is_set():
            ended.set()
            context.__exit__(None, None, None)

    try:
        yield end
    finally:
        end()


def _rotated(server: Served, good: Platform) -> Iterator[Figure]:
    opened = [status for status, _ in server.many(good, 200)]
    found = f"{opened.count(303)} opened, {good.fetches} fetch"
    yield Figure(f"200 launches over {WORKERS} workers", found, opened == [303] * 200 and good.fetches == 1)
    good.keys = {"key-2": rsa_key("key-2")}
    opened = [status for status, _ in server.many(good, 200, kid="key-2")]
    found = f"{opened.count(303)} opened, {good.fetches - 1} extra fetch"
    yield Figure("the platform rotates, 200 launches", found, opened == [303] * 200 and good.fetches == 2)
    refused = [status for status, _ in server.many(good, 50, kid="key-1")]
    found = f"{refused.count(403)} refused, {good.fetches - 2} fetches"
    yield Figure("50 launches with the withdrawn key", found, refused == [403] * 50 and good.fetches == 2)


def _random_kids(server: Served, good: Platform) -> Iterator[Figure]:
    before, began = good.fetches, time.monotonic()
    with ThreadPoolExecutor(BUSY) as pool:
        done = pool.map(lambda _: server.launch(good, "key-2", str(uuid4()))[0], range(RANDOM_KIDS))
        refused = list(done).count(403)
    minutes = (time.monotonic() - began) / 60
    fetches = good.fetches - before
    found = f"{refused} refused in {minutes:.1f} min, {fetches} fetches"
    yield Figure(
        f"{RANDOM_KIDS} launches with random kids", found, refused == RANDOM_KIDS and fetches <= 1 + int(minutes)
    )


def _hung(server: Served, good: Platform, hanging: Hanging) -> Iterator[Figure]:
    """Many at the platform that hangs, over and over, and one after another at the other."""
    over, ended = threading.Event(), [0]

    def knock() -> None:
        while not over.is_set():
            server.launch(hanging)
            ended[0] += 1

    threads = [threading.Thread(target=knock) for _ in range(BUSY)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    began, alone = time.monotonic(), list[tuple[int, float]]()
    while time.monotonic() - began < HANG_S:
        alone.append(server.launch(good, "key-2"))
    over.set()
    hanging.answer.set()
    for thread in threads:
        thread.join()
    slowest = max(seconds for _, seconds in alone)
    found = f"slowest {slowest:.2f} s; {ended[0]} at the hanging one, {hanging.fetches} fetches"
    opened = [status for status, _ in alone] == [303] * len(alone)
    yield Figure(
        f"{len(alone)} launches while another's keys hang for {HANG_S:.0f} s, {BUSY} waiting there",
        found,
        opened and slowest < 3,
    )
