"""`lti-server person …` against a running district: what the command prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lti_server import cli
from lti_server.cli import main, person
from lti_server.settings import Settings
from tests.clock import FakeClock, RunningClock
from tests.functional.street import Street, street

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def clock() -> FakeClock:
    return RunningClock()


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


@pytest.fixture
def run(on: Street, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One command and what it answers; `fails` is the exit code that is wanted of it."""
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    monkeypatch.setattr(person, "open_house", lambda: on.house)

    def command(*arguments: str, fails: int = 0) -> dict[str, Any]:
        if fails:
            with pytest.raises(SystemExit) as stop:
                main(["person", *arguments, "--json"])
            assert stop.value.code == fails
        else:
            main(["person", *arguments, "--json"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    return command
