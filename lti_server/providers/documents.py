"""Public documents of providers (discovery, key sets), kept a while in each process; nothing about a person."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lti_server.providers.errors import ProviderFault
from lti_server.providers.spi import Clock
from lti_server.providers.wire import Response

REFETCH_EVERY = timedelta(seconds=60)
USABLE_FOR = timedelta(hours=72)
MOST_DOCUMENTS = 500


@dataclass(slots=True)
class _Kept:
    """One address: its last good answer, and when it was asked for anew by somebody whom that answer did not serve."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: Response | None = None
    read_at: datetime | None = None
    asked_anew_at: datetime | None = None
    failed_at: datetime | None = None


class Documents:
    """Answers by address. One read of an address is under way at a time; the others wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def get(self, url: str, max_age_s: int, read: Callable[[], Response]) -> Response:
        """The document, at most `max_age_s` old; 0 asks for it anew, which happens at once and then once a minute.

        While the provider is out, what it said goes on for three days.

        Raises:
            ProviderFault: it cannot be read, and nothing usable is here.
        """
        kept = self._of(url)
        with kept.lock:
            now = self._clock.now()
            if kept.answer is not None and kept.read_at is not None and not self._wants(kept, max_age_s, now):
                return kept.answer
            try:
                answer = read()
            except ProviderFault:
                kept.failed_at = now
                if kept.answer is None or kept.read_at is None or now - kept.read_at > USABLE_FOR:
                    raise
                return kept.answer
            if answer.status != 200:
                return answer
            kept.answer, kept.read_at, kept.failed_at = answer, now, None
            return answer

    def _wants(self, kept: _Kept, max_age_s: int, now: datetime) -> bool:
        """Whether to read again what is here."""
        assert kept.read_at is not None
        if kept.failed_at is not None and now - kept.failed_at < timedelta(seconds=10):
            return False
        if max_age_s > 0:
            return now - kept.read_at >= timedelta(seconds=max_age_s)
        if kept.asked_anew_at is not None and now - kept.asked_anew_at < REFETCH_EVERY:
            return False
        kept.asked_anew_at = now
        return True

    def _of(self, url: str) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(url, _Kept())
            self._kept.move_to_end(url)
            if len(self._kept) > MOST_DOCUMENTS:
                self._kept.popitem(last=False)
            return kept
