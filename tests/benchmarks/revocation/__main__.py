"""`make revocation`: histories of processes that are stopped, killed and revoked under; counts what came afterwards."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lti_server.errors import GrantRevoked
from lti_server.house import build_house
from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from tests import world
from tests.benchmarks.revocation.histories import WORKERS, Place, machine
from tests.benchmarks.revocation.provider import Provider, serving
from tests.benchmarks.revocation.workers import Act, Ids, Worker, settings_of

HISTORIES = int(os.environ.get("HISTORIES", "1000"))
LONGEST_S = float(os.environ.get("LONGEST_S", "1800"))
BATCH = 25
SENDERS = 8
ROUNDS = int(os.environ.get("ROUNDS", "60"))


@contextmanager
def place_on(url: str, workers: int, slug: str = "north") -> Iterator[Place]:
    """A district under contract, a provider, and the processes, on a migrated database."""
    with serving() as provider, tempfile.TemporaryDirectory() as data_dir:
        host = provider.address.removeprefix("http://")
        house = build_house(settings_of(url, host, Path(data_dir)), url)
        running = [Worker(url, host) for _ in range(workers)]
        try:
            house.tool_keys.current()
            yield Place(house, world.district(house, slug), provider, running)
        finally:
            for worker in running:
                worker.end()
            house.database.dispose()


def histories(place: Place, number: int) -> None:
    """So many histories; a failure is shown step by step."""
    run_state_machine_as_test(
        machine(place),
        settings=settings(
            max_examples=number, stateful_step_count=12, deadline=None, database=None,
            phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def first_phase(place: Place, rounds: int) -> tuple[list[float], int]:
    """Seconds from the call of a revocation until the next send is refused, with all senders busy; sends afterwards."""
    took, late = [], 0
    for number in range(rounds):
        ids = place.connection(10_000 + number)
        threads = [threading.Thread(target=_send_until_refused, args=(one, ids)) for one in place.workers]
        for thread in threads:
            thread.start()
        _until_all_send(place.provider, ids.client)
        began = time.perf_counter()
        place.revoke(ids)
        try:
            with place.house.grants.fence.holding(ids.district, ids.grant, 1):
                raise AssertionError("a send was let out after the first phase")
        except GrantRevoked:
            took.append(time.perf_counter() - began)
        assert place.finish(ids, 30.0)
        sent = place.provider.of(ids.client)
        for thread in threads:
            thread.join(30)
        late += place.provider.of(ids.client) - sent
    return sorted(took), late


def _send_until_refused(worker: Worker, ids: Ids) -> None:
    while (worker.begin(Act.TOKEN, ids, None) or "").startswith("done"):
        pass


def _until_all_send(provider: Provider, client: str) -> None:
    enough = provider.of(client) + 3 * SENDERS
    while provider.of(client) < enough:
        time.sleep(0.005)


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        postgres = BundledPostgres(Path(name))
        url = postgres.hold()
        try:
            upgrade(url, url)
            began = time.monotonic()
            with place_on(url, WORKERS) as place:
                while place.tally.histories < HISTORIES and time.monotonic() - began < LONGEST_S:
                    histories(place, min(BATCH, HISTORIES - place.tally.histories))
                    print(f"{place.tally.histories} histories", file=sys.stderr, flush=True)
                report(place, time.monotonic() - began)
                missing = HISTORIES - place.tally.histories
            with place_on(url, SENDERS, "busy") as place:
                took, late = first_phase(place, ROUNDS)
            p99, half = took[int(len(took) * 0.99)] * 1000, took[len(took) // 2] * 1000
            print(f"first phase, {SENDERS} senders busy, {ROUNDS} rounds: the next send is refused after", end=" ")
            print(f"{half:.0f} ms (median), {p99:.0f} ms (p99); sends after the acknowledgement {late}")
            if missing > 0:
                print(
                    f"{missing} histories were not reached in {LONGEST_S} s; nothing is shown by that", file=sys.stderr
                )
            sys.exit(1 if late or p99 > 1000 or missing > 0 else 0)
        finally:
            postgres.release()


def report(place: Place, seconds: float) -> None:
    tally = place.tally
    print(f"histories {tally.histories} in {seconds:.0f} s, {WORKERS} processes")
    print(f"acts {dict(tally.acts)}; requests {dict(place.provider.kinds)}")
    print(f"stopped (SIGSTOP) {dict(tally.stops)}")
    print(f"killed there (SIGKILL) {dict(tally.kills)}")
    print(f"after the acknowledgement: sends and reads {tally.sent_after}, commits {tally.written_after}")
    print(f"let past the first phase {tally.let_past_the_first_phase}; pages kept by halves {tally.half_pages}")
    print(f"acknowledgements that waited for a stopped process, and said so: {tally.waited}", flush=True)


if __name__ == "__main__":
    main()
