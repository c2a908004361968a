"""Waiting for what another process does: on a condition, never for a length of time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], *, within_s: float = 20.0, what: str = "the condition") -> None:
    """Return as soon as the condition holds; fail when it does not within `within_s`."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about within {within_s} s"
        time.sleep(0.02)
