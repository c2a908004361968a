"""`make bench-launch`: three tools side by side under one gunicorn, round robin; prints figures and ratios."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import psutil
import psycopg

from lti_server.app import build_house
from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from lti_server.settings import Settings
from tests import world
from tests.benchmarks.launch.browser import Browser
from tests.benchmarks.load import Load, run
from tests.peers.bare_platform import Platform, serving

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
CONNECTIONS = (8, 32)
SECRET = "a-secret-key-of-the-benchmark-long-enough"
NAMES = {"ours": "a) lti-server", "stock": "b) stock PyLTI1p3 2.0.0", "floor": "c) bare Flask floor"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(tool: str, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """One tool (a module here) under gunicorn: one worker, eight threads, the same for all."""
    port = int(environment.get("BENCH_PORT") or free_port())
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread",
        "--threads", "8", "--keep-alive", "30", "--log-level", "error", f"tests.benchmarks.{tool}:create_app()",
    ]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of the server's processes; PostgreSQL's is not among them."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def prepared(url: str, platform: Platform, port: int) -> dict[str, str]:
    """A district under contract whose LMS is the platform."""
    upgrade(url, url)
    settings = Settings(
        database_url=url,
        secret_keys=(SECRET,),
        base_url=f"http://127.0.0.1:{port}",
        insecure_hosts=frozenset({platform.address.removeprefix("http://")}),
    )
    house = build_house(settings, url)
    world.register(house, world.district(house), platform)
    house.database.dispose()
    return {
        "LTI_SERVER_DATABASE_URL": url,
        "LTI_SERVER_SECRET_KEYS": SECRET,
        "LTI_SERVER_BASE_URL": settings.base_url,
        "LTI_SERVER_INSECURE_HOSTS": next(iter(settings.insecure_hosts)),
        "LTI_SERVER_LOG_LEVEL": "ERROR",
        "BENCH_PORT": str(port),
    }


def environments(directory: Path, platform: Platform, url: str, floor_url: str) -> dict[str, dict[str, str]]:
    from tests.peers.bare_platform import rsa_key

    described = {
        "issuer": platform.issuer, "client_id": platform.client_id, "deployment_id": platform.deployment_id,
        "auth_login_url": "https://lms.example/auth", "auth_token_url": "https://lms.example/token",
        "jwks_url": platform.jwks_url,
    }  # fmt: skip
    return {
        "ours": prepared(url, platform, free_port()) | {"LTI_SERVER_DATA_DIR": str(directory)},
        "stock": {
            "BENCH_PLATFORM": json.dumps(described),
            "BENCH_PRIVATE_PEM": rsa_key("tool").as_pem(private=True).decode(),
        },
        "floor": {
            "BENCH_DATABASE_URL": floor_url,
            "BENCH_JWK": json.dumps(platform.keys["key-1"].as_dict(private=False)),
            "BENCH_AUTH_URL": "https://lms.example/auth",
        },
    }


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        postgres = BundledPostgres(directory)
        url = postgres.hold()
        stack.callback(postgres.release)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE floor")
        platform = stack.enter_context(serving(Platform()))
        given = environments(directory, platform, url, url.replace("/lti_server?", "/floor?"))
        servers = {tool: stack.enter_context(served(f"launch.{tool}", given[tool])) for tool in given}
        for connections in CONNECTIONS:
            measure(servers, platform, connections)
        report_fetches(servers, platform)


def measure(servers: dict[str, tuple[int, psutil.Process]], platform: Platform, connections: int) -> None:
    """Rounds of each tool in turn, so that a machine whose speed drifts is the same for all."""
    figures: dict[str, list[tuple[float, float]]] = {tool: [] for tool in servers}
    for tool, (port, _) in servers.items():
        run(partial(Browser, port, platform, "message-in-bits"), connections=connections, seconds=2)
        del tool
    for _ in range(ROUNDS):
        for tool, (port, process) in servers.items():
            before = cpu_seconds(process)
            load: Load = run(
                partial(Browser, port, platform, "message-in-bits"), connections=connections, seconds=SECONDS
            )
            spent = cpu_seconds(process) - before
            figures[tool].append((load.done / load.seconds, 1000 * spent / load.done))
    print(f"\n{connections} connections, {ROUNDS} rounds of {SECONDS:.0f} s, medians")
    medians = {}
    for tool, rounds in figures.items():
        rate, cpu = (statistics.median(values) for values in zip(*rounds, strict=True))
        medians[tool] = (rate, cpu)
        spread = f"{min(r for r, _ in rounds):.0f} to {max(r for r, _ in rounds):.0f}"
        print(f"  {NAMES[tool]:<26} {rate:7.1f} pairs/s ({spread})   {cpu:6.2f} CPU ms/pair")
    (a, a_cpu), (b, b_cpu), (c, _) = medians["ours"], medians["stock"], medians["floor"]
    print(f"  a/b pairs {a / b:.2f}   a/c pairs {a / c:.2f}   a/b CPU {a_cpu / b_cpu:.2f}   b/c pairs {b / c:.2f}")


def report_fetches(servers: dict[str, tuple[int, psutil.Process]], platform: Platform) -> None:
    """Key set fetches while one tool launches for two seconds with a key that it knows."""
    print()
    for tool, (port, _) in servers.items():
        before = platform.fetches
        load = run(partial(Browser, port, platform, "message-in-bits"), connections=8, seconds=2)
        print(f"  {NAMES[tool]:<26} {platform.fetches - before} key set fetches in {load.done} launches")


if __name__ == "__main__":
    main()
