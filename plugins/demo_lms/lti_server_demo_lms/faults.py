"""What goes wrong on purpose: the answers that a test wants next, in place of a service's own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's answer in place of its own, such as `Answer(429, {"Retry-After": "3"})`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class PageFaults:
    """What goes wrong with pages of a list, by their number from 1.

    `answers` are the next answers of a page in place of its own; a page in `looping` links to itself as the next; one
    in `foreign` links to the next at another host, which is its value, such as `http://evil.example`.
    """

    answers: dict[int, list[Answer]] = field(default_factory=dict)
    looping: set[int] = field(default_factory=set)
    foreign: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def next(self, number: int) -> Answer | None:
        """Use up the first answer for a page."""
        with self._lock:
            waiting = self.answers.get(number)
            return waiting.pop(0) if waiting else None

    def leads_to(self, number: int, own: str, following: str) -> str:
        """The address that a page gives for the next one."""
        if number in self.looping:
            return own
        elsewhere = self.foreign.get(number)
        if elsewhere is None:
            return following
        address = urlsplit(following)
        return f"{elsewhere.rstrip('/')}{address.path}?{address.query}"

    def clear(self) -> None:
        with self._lock:
            self.answers.clear()
            self.looping.clear()
            self.foreign.clear()


@dataclass(slots=True)
class Faults:
    """Each list holds the next answers of a service, first first; it does nothing of what it was asked then.

    `members_pages` is for single pages of the member list. `cut_after_score` of the next scores are taken
    and answered by 500: the tool cannot know that they were.
    """

    token: list[Answer] = field(default_factory=list)
    jwks: list[Answer] = field(default_factory=list)
    memberships: list[Answer] = field(default_factory=list)
    lineitems: list[Answer] = field(default_factory=list)
    score: list[Answer] = field(default_factory=list)
    results: list[Answer] = field(default_factory=list)
    notices: list[Answer] = field(default_factory=list)
    members_pages: PageFaults = field(default_factory=PageFaults)
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
            services = (self.token, self.jwks, self.memberships, self.lineitems, self.score, self.results, self.notices)
            for waiting in services:
                waiting.clear()
            self.cut_after_score = 0
        self.members_pages.clear()
