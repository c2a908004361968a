"""`make bench-signin`: this server with 10,000 people beside a bare Authlib client, round robin, at one provider."""

from __future__ import annotations

import os
import statistics
import tempfile
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import psutil

from lti_server.accounts import store
from lti_server.accounts.model import Kind, Subject
from lti_server.app import build_house
from lti_server.ids import GrantId
from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.benchmarks.launch.__main__ import cpu_seconds, free_port, served
from tests.benchmarks.load import run
from tests.benchmarks.signin.browser import Browser
from tests.peers.openid import OpenIdPeer, running

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "10000"))
CONNECTIONS = (8, 32)
SECRET = "a-secret-key-of-the-benchmark-long-enough"
NAMES = {"launch.ours": "a) lti-server", "signin.stock": f"b) bare Authlib {version('authlib')} client"}


def prepared(url: str, peer: OpenIdPeer, port: int, directory: Path) -> dict[str, str]:
    """A district under contract that has connected the provider, and everybody who has an account there."""
    upgrade(url, url)
    host = f"localhost:{peer.port}"
    settings = Settings(
        database_url=url, secret_keys=(SECRET,), base_url=f"http://127.0.0.1:{port}", insecure_hosts=frozenset({host})
    )
    house = build_house(settings, url)
    owner = world.district(house)
    config = {"issuer": peer.issuer, "client_id": peer.client_id, "client_secret": peer.client_secret}
    made = SignInHouse(house).connections.connect(owner.id, "oidc", config, by="bench")
    source = store.Source(grant_id=GrantId(made.grant_id), epoch=1, run_id=None, at=house.clock.now())
    for first in range(0, PEOPLE, 1_000):
        wanted = [
            (Subject(provider="oidc", issuer=peer.issuer, client_id=peer.client_id, subject=f"pupil-{number}"),
             Kind.PUPIL, True)
            for number in range(first, min(PEOPLE, first + 1_000))
        ]  # fmt: skip
        with house.database.tenant(owner.id) as connection:
            store.lock_making(connection)
            store.create_many(connection, owner.keys, wanted, source)
    house.database.dispose()
    return {
        "LTI_SERVER_DATABASE_URL": url, "LTI_SERVER_SECRET_KEYS": SECRET, "LTI_SERVER_BASE_URL": settings.base_url,
        "LTI_SERVER_INSECURE_HOSTS": host, "LTI_SERVER_LOG_LEVEL": "ERROR", "LTI_SERVER_DATA_DIR": str(directory),
        "BENCH_PORT": str(port),
    }  # fmt: skip


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        postgres = BundledPostgres(directory)
        url = postgres.hold()
        stack.callback(postgres.release)
        peer = stack.enter_context(running(OpenIdPeer()))
        for number in range(PEOPLE):
            peer.knows(f"pupil-{number}", given_name="Ada", family_name=f"Number {number}")
        port = free_port()
        given = {
            "launch.ours": prepared(url, peer, free_port(), directory),
            "signin.stock": {
                "BENCH_ISSUER": peer.issuer, "BENCH_CLIENT_ID": peer.client_id,
                "BENCH_CLIENT_SECRET": peer.client_secret, "BENCH_BASE_URL": f"http://127.0.0.1:{port}",
                "BENCH_PORT": str(port),
            },
        }  # fmt: skip
        servers = {tool: stack.enter_context(served(tool, environment)) for tool, environment in given.items()}
        for connections in CONNECTIONS:
            measure(servers, peer, connections)


def measure(servers: dict[str, tuple[int, psutil.Process]], peer: OpenIdPeer, connections: int) -> None:
    """Rounds of each in turn, so that a machine whose speed drifts is the same for both."""
    figures: dict[str, list[tuple[float, float]]] = {tool: [] for tool in servers}
    for port, _ in servers.values():
        run(partial(Browser, port, peer, PEOPLE), connections=connections, seconds=2)
    for _ in range(ROUNDS):
        for tool, (port, process) in servers.items():
            before = cpu_seconds(process)
            load = run(partial(Browser, port, peer, PEOPLE), connections=connections, seconds=SECONDS)
            spent = cpu_seconds(process) - before
            figures[tool].append((load.done / load.seconds, 1000 * spent / load.done))
    print(f"\n{PEOPLE} people, {connections} connections, {ROUNDS} rounds of {SECONDS:.0f} s, medians")
    for tool, rounds in figures.items():
        rate, cpu = (statistics.median(values) for values in zip(*rounds, strict=True))
        spread = _spread([one for one, _ in rounds], 1)
        print(f"  {NAMES[tool]:<30} {rate:7.1f} sign-ins/s ({spread})   {cpu:6.2f} CPU ms each")
    ours, stock = figures.values()
    for number, what in enumerate(("sign-ins", "CPU")):
        ratios = [a[number] / b[number] for a, b in zip(ours, stock, strict=True)]
        print(f"  a/b {what} {statistics.median(ratios):.2f} ({_spread(ratios, 2)} by rounds)")


def _spread(values: list[float], digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


if __name__ == "__main__":
    main()
