"""`make kill9`: worker and server die at random points between progress and gradebook; counts what is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from lti_server_demo_lms.app import create_app as create_lms
from lti_server_demo_lms.app import registration
from lti_server_demo_lms.parts import DemoLmsConfig
from lti_server_demo_lms.serving import listen, running
from lti_server_demo_lms.world import sample_world

from lti_server.app import build_house
from lti_server.ids import SystemClock
from lti_server.lti.registrations import Platform
from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from lti_server.settings import Settings
from tests import world
from tests.functional.street import LESSON, SLUG, Street

KILLS = int(os.environ.get("KILLS", "20"))
SECRET = "a-secret-key-of-the-kill-test-long-enough"
SETTLED_WITHIN_S = 120.0


class Program:
    """`serve` or `worker` as a process that can be killed and started again."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._command = [sys.executable, "-m", "lti_server", *arguments]
        self._environment = environment
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, start_new_session=True, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """SIGKILL to the program and its children, and a new one in its place."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = self._start()

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def until(done: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait for a condition, for so long."""
    ends = time.monotonic() + within_s
    while not done():
        if time.monotonic() > ends:
            raise SystemExit(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def post_until_saved(street: Street, token: str, activity: int) -> None:
    """As the lesson does: the same attempt again and again, until the server has answered."""
    lesson = street.house.catalogue.get(LESSON)
    body = {
        "attempt_id": str(uuid4()), "activity_id": lesson.activities[activity].id, "score": 1, "completed": True,
        "occurred_at": SystemClock().now().isoformat(),
    }  # fmt: skip

    def saved() -> bool:
        try:
            answer = requests.post(
                f"{street.tool_url}/api/v1/progress", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=5
            )
        except requests.RequestException:
            return False
        return answer.ok and answer.json()["saved"] is True

    until(saved, 60, "an attempt is saved")


def main() -> None:
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = Path(name)
        postgres = BundledPostgres(directory)
        try:
            run(directory, postgres.hold(), chance, seed)
        finally:
            postgres.release()


def run(directory: Path, url: str, chance: random.Random, seed: int) -> None:
    upgrade(url, url)
    lms_socket, tool_socket = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    lms_host, tool_host = (f"127.0.0.1:{one.getsockname()[1]}" for one in (lms_socket, tool_socket))
    tool_socket.close()
    settings = Settings(
        database_url=url, data_dir=directory, secret_keys=(SECRET,), base_url=f"http://{tool_host}",
        insecure_hosts=frozenset({lms_host}),
    )  # fmt: skip
    config = DemoLmsConfig(
        base_url=f"http://{lms_host}", tool_url=settings.base_url, data_dir=directory / "lms", world=sample_world()
    )
    lms = create_lms(config)
    parts = lms.extensions["demo_lms"]
    taken = counted(parts.store)
    with running(lms, lms_socket):
        street = joined(settings, parts, registration(lms, SLUG), config.base_url)
        environment = {
            **os.environ, "LTI_SERVER_DATABASE_URL": url, "LTI_SERVER_SECRET_KEYS": SECRET,
            "LTI_SERVER_BASE_URL": settings.base_url, "LTI_SERVER_INSECURE_HOSTS": lms_host,
            "LTI_SERVER_DATA_DIR": str(directory), "LTI_SERVER_LOG_LEVEL": "CRITICAL",
        }  # fmt: skip
        server = Program(["serve", "--bind", tool_host, "--workers", "1"], environment)
        worker = Program(["worker", "--concurrency", "2"], environment)
        try:
            until(lambda: answers(f"{settings.base_url}/healthz"), 60, "the server answers")
            play(street, server, worker, chance)
            until(lambda: all(row.state != "queued" for row in street.deliveries()), SETTLED_WITHIN_S, "all settled")
            report(street, taken, seed)
        finally:
            worker.stop()
            server.stop()
            street.house.database.dispose()


def counted(store: Any) -> list[tuple[str, float]]:
    """Every score that the LMS takes from here on, in order."""
    taken: list[tuple[str, float]] = []
    honest = store.take_score

    def take(item: int, person: str, body: dict[str, Any], *when: Any) -> bool:
        found = bool(honest(item, person, body, *when))
        if found:
            taken.append((person, float(body["scoreGiven"])))
        return found

    store.take_score = take
    return taken


def joined(settings: Settings, parts: Any, told: Mapping[str, str], lms_url: str) -> Street:
    """A district under contract, whose LMS is the demo LMS."""
    assert settings.database_url is not None
    house = build_house(settings, settings.database_url)
    district = world.district(house)
    names = ("issuer", "client_id", "auth_login_url", "auth_token_url", "jwks_url")
    house.registrations.add(
        district.id,
        Platform(
            **{name: told[name] for name in names}, token_audience=None, shared_id=True,
            deployment_ids=(told["deployment_id"],),
        ),
    )  # fmt: skip
    return Street(house, district, parts, lms_url, settings.base_url)


def play(street: Street, server: Program, worker: Program, chance: random.Random) -> None:
    """Pupils solve puzzles; each time the worker, and every third time the server, dies at a random moment."""
    activities = len(street.house.catalogue.get(LESSON).activities)
    pupils = -(-KILLS // activities) + 1
    tokens = [street.token(pupil) for pupil in range(pupils)]
    for count in range(KILLS):
        pupil, activity = divmod(count, activities)
        victim = server if count % 3 == 2 else worker
        killer = threading.Timer(chance.uniform(0, 0.4), victim.kill)
        killer.start()
        post_until_saved(street, tokens[pupil], activity)
        killer.join()


def report(street: Street, taken: list[tuple[str, float]], seed: int) -> None:
    activities = len(street.house.catalogue.get(LESSON).activities)
    expected = {
        street.pupils[pupil].id: street.grade_of(min(activities, KILLS - pupil * activities))
        for pupil in range(-(-KILLS // activities))
    }
    standing = {score["userId"]: float(score["scoreGiven"]) for score in street.standing()}
    lost = [pupil for pupil, grade in expected.items() if abs(standing.get(pupil, -1) - grade) > 0.01]
    doubled = [
        person
        for person in expected
        for before, after in zip(
            [score for who, score in taken if who == person], [score for who, score in taken if who == person][1:],
            strict=False,
        )
        if after <= before
    ]  # fmt: skip
    print(
        f"{KILLS} kills (seed {seed}), {len(expected)} pupils, {len(taken)} scores taken by the LMS: "
        f"lost {len(lost)}, doubled in effect {len(doubled)}"
    )
    sys.exit(1 if lost or doubled else 0)


if __name__ == "__main__":
    main()
