"""How often one address may ask. Counted in Redis where REDIS_URL is set, else by each process for itself."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

import structlog
from flask import Flask, request
from limits import parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from lti_server.errors import TooManyRequests

# One address is a whole school: 1,500 people may sign in within a minute, and each of them takes four pages.
PER_ADDRESS = "6000 per minute"
# A letter costs more than a page, and goes to somebody who may not have asked: some classes at once, and no flood.
LETTERS_PER_ADDRESS = "120 per hour"
# Somebody has to read each of them.
REQUESTS_PER_ADDRESS = "60 per hour"


class Limit:
    """How often one address may do one thing; it is counted under a keyed hash."""

    def __init__(self, key: bytes, redis_url: str | None, most: str, *, of: str = "") -> None:
        self._key = key
        self._most = parse(most)
        self._of = of
        self._counts = FixedWindowRateLimiter(storage_from_string(redis_url or "memory://", wrap_exceptions=True))

    def __call__(self) -> None:
        """Count the present request.

        Raises:
            TooManyRequests: its address has asked too often.
        """
        caller = hmac.new(self._key, (request.remote_addr or "").encode(), hashlib.sha256).hexdigest()[:32] + self._of
        try:
            if self._counts.hit(self._most, caller):
                return
            resets_at = self._counts.get_window_stats(self._most, caller).reset_time
        except StorageError:
            structlog.get_logger("lti_server.web").warning("limits are not counted: REDIS_URL does not answer")
            return
        wait_s = max(1, round(resets_at - time.time()))
        raise TooManyRequests("Wait a moment, then try again.", retry_after_s=wait_s)


def init_limits(app: Flask, key: bytes, redis_url: str | None, blueprints: Sequence[str]) -> None:
    """Limit the pages of these blueprints by address, for a minute.

    Launches, lessons and progress are not counted: a school's launches come from one address within a minute, and each
    of these requests is held by a signature or a token of 256 bits, which no number of guesses finds.
    """
    check = Limit(key, redis_url, PER_ADDRESS)
    for name in blueprints:
        app.before_request_funcs.setdefault(name, []).append(check)
