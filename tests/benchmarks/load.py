"""So many browsers at once, for so long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Busy(Protocol):
    """One browser, which does the same again and again over one connection."""

    def once(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Load:
    """What one round measured: how often all of them together were done."""

    done: int
    seconds: float


def run(make: Callable[[], Busy], *, connections: int, seconds: float) -> Load:
    """One round; the first fault of any of them ends it, and is raised."""
    done = [0] * connections
    faults: list[Exception] = []
    until = time.monotonic() + seconds

    def work(index: int) -> None:
        browser = make()
        try:
            while time.monotonic() < until and not faults:
                browser.once()
                done[index] += 1
        except Exception as error:
            faults.append(error)
        finally:
            browser.close()

    began = time.monotonic()
    threads = [threading.Thread(target=work, args=(index,)) for index in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return Load(done=sum(done), seconds=time.monotonic() - began)
