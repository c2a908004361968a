"""`make bench-keys`: key rotation on both sides, and platforms whose keys fail, in figures."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from tests.benchmarks.keys.platform_keys import Figure, measure
from tests.benchmarks.keys.tool_keys import DAY_S, rotate


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = Path(name)
        postgres = BundledPostgres(directory)
        try:
            held = [shown(one) for one in figures(directory, postgres.hold())]
        finally:
            postgres.release()
    print(f"{sum(held)} of {len(held)} hold")
    sys.exit(0 if all(held) else 1)


def figures(directory: Path, url: str) -> Iterator[Figure]:
    yield from measure(database(url, "platform_keys"), directory)
    seen = rotate(database(url, "tool_keys"), directory)
    failed = seen.failed + seen.broken
    found = f"{seen.launches} launches, {seen.calls} calls, {len(seen.kids)} keys: failed calls {len(failed)}"
    yield Figure(f"the tool's key is rotated (a day is {DAY_S:.0f} s)", found, not failed and len(seen.kids) == 2)
    for one in failed[:5]:
        print(f"      {one}")


def database(url: str, name: str) -> str:
    """A migrated database of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    made = make_url(url).set(database=name).render_as_string(hide_password=False)
    upgrade(made, made)
    return made


def shown(figure: Figure) -> bool:
    print(f"{'ok  ' if figure.holds else 'FAIL'}  {figure.what}: {figure.found}", flush=True)
    return figure.holds


if __name__ == "__main__":
    main()
