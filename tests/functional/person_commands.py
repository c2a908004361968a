"""`lti-server person …` against a running district: what the command prints, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lti_server.cli import person
from lti_server.settings import Settings
from tests.clock import FakeClock, RunningClock
from tests.commands import typed
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
    monkeypatch.setattr(person, "open_house", lambda: on.house)

    def command(*arguments: str, fails: int = 0) -> dict[str, Any]:
        return typed(["person", *arguments], monkeypatch, capsys, fails=fails)

    return command
