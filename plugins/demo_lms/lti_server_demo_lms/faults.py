"""What goes wrong on purpose: the answers that a test wants next, in place of a service's own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's answer in place of its own, such as `Answer(429, {"Retry-After": "3"})`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class Faults:
    """Each list holds the next answers of a service, first first; it does nothing of what it was asked then.

    `cut_after_score` of the next scores are taken and answered by 500: the tool cannot know that they were.
    """

    token: list[Answer] = field(default_factory=list)
    jwks: list[Answer] = field(default_factory=list)
    memberships: list[Answer] = field(default_factory=list)
    lineitems: list[Answer] = field(default_factory=list)
    score: list[Answer] = field(default_factory=list)
    results: list[Answer] = field(default_factory=list)
    cut_after_score: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def next(self, waiting: list[Answer]) -> Answer | None:
        """Use up the first answer of one of these lists."""
        with self._lock:
            return waiting.pop(0) if waiting else None

    def cut(self) -> bool:
        """Whether this score's answer is lost."""
        with self._lock:
            if self.cut_after_score <= 0:
                return False
            self.cut_after_score -= 1
            return True

    def clear(self) -> None:
        """All is well again."""
        with self._lock:
            for waiting in (self.token, self.jwks, self.memberships, self.lineitems, self.score, self.results):
                waiting.clear()
            self.cut_after_score = 0
