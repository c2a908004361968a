"""Public documents of providers (discovery, key sets), kept a while in each process; nothing about a person."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lti_server.providers.errors import ProviderFault
from lti_server.providers.spi import Clock
from lti_server.providers.wire import Response

REFETCH_EVERY = timedelta(seconds=60)
USABLE_FOR = timedelta(hours=72)
ASKED_AGAIN_AFTER = timedelta(seconds=10)
MOST_DOCUMENTS = 500


@dataclass(slots=True)
class _Kept:
    """One address: its last good answer, and when it was asked for anew by somebody whom that answer did not serve."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: Response | None = None
    read_at: datetime | None = None
    asked_anew_at: datetime | None = None
    failed_at: datetime | None = None
    fault: ProviderFault | None = None
    failures: int = 0


class Documents:
    """Answers by address. One read of an address is under way at a time; the others wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def get(self, url: str, max_age_s: int, read: Callable[[], Response]) -> Response:
        """The document, at most `max_age_s` old; 0 asks for it anew, which happens at once and then once a minute.

        While the provider is out, what it said goes on for three days. Whoever waits while another call fails is told
        alike, so that nobody waits for a slow provider as often as there are others who do.

        Raises:
            ProviderFault: it cannot be read, and nothing usable is here.
        """
        kept, before = self._of(url)
        with kept.lock:
            now = self._clock.now()
            usable = kept.read_at is not None and now - kept.read_at <= USABLE_FOR
            if usable and kept.answer is not None and not self._wants(kept, max_age_s, now):
                return kept.answer
            if not usable and kept.fault is not None and kept.failures != before:
                raise copy(kept.fault)
            try:
                answer = read()
            except ProviderFault as fault:
                kept.failed_at = self._clock.now()  # it may have taken long to fail
                kept.fault, kept.failures = copy(fault), kept.failures + 1
                if kept.answer is None or not usable:
                    raise
                return kept.answer
            if answer.status != 200:
                return answer
            kept.answer, kept.read_at, kept.failed_at, kept.fault = answer, now, None, None
            return answer

    def _wants(self, kept: _Kept, max_age_s: int, now: datetime) -> bool:
        """Whether to read again what is here."""
        assert kept.read_at is not None
        if kept.failed_at is not None and now - kept.failed_at < ASKED_AGAIN_AFTER:
            return False
        if max_age_s > 0:
            return now - kept.read_at >= timedelta(seconds=max_age_s)
        if kept.asked_anew_at is not None and now - kept.asked_anew_at < REFETCH_EVERY:
            return False
        kept.asked_anew_at = now
        return True

    def _of(self, url: str) -> tuple[_Kept, int]:
        """What is kept of an address, and how often reading it had failed when it was asked for."""
        with self._lock:
            kept = self._kept.setdefault(url, _Kept())
            self._kept.move_to_end(url)
            if len(self._kept) > MOST_DOCUMENTS:
                self._kept.popitem(last=False)
            return kept, kept.failures
