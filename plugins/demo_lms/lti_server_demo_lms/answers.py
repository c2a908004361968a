"""How a service answers: media types, pages with a Link to the next, and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard
from urllib.parse import urlencode

from flask import Response, abort, jsonify, make_response, request

from lti_server_demo_lms.parts import Parts

MEDIA = "application/vnd.ims."


def media(body: object, kind: str, status: int = 200) -> Response:
    response = make_response(jsonify(body), status)
    response.headers["Content-Type"] = MEDIA + kind
    return response


def problem(status: int, text: str) -> Response:
    """A refusal that the tool's developer reads; it names no person."""
    return make_response(jsonify(error=text), status)


def page(parts: Parts, rows: Sequence[Any], url: str, kind: str, wrap: Callable[[Sequence[Any]], object]) -> Response:
    """One page and, where more follows, a `Link` to the next (RFC 8288) that keeps the other parameters.

    `limit` is a wish: no page is longer than the platform's own (NRPS 2.0, 2.4.2).
    """
    size = min(_whole("limit", parts.config.page_size), parts.config.page_size)
    number = _whole("page", 1)
    start = (number - 1) * size
    response = media(wrap(rows[start : start + size]), kind)
    if start + size < len(rows):
        kept = [(name, value) for name, value in request.args.items(multi=True) if name != "page"]
        query = urlencode([*kept, ("page", str(number + 1))])
        response.headers["Link"] = f'<{url.partition("?")[0]}?{query}>; rel="next"'
    return response


def body(kind: str) -> dict[str, Any]:
    """The JSON object of a request; 415 for another media type, 400 for anything else."""
    if request.mimetype != MEDIA + kind:
        abort(problem(415, f"The content type must be {MEDIA}{kind}."))
    given = request.get_json(force=True, silent=True)
    if not isinstance(given, dict):
        abort(problem(400, "The body must be a JSON object."))
    return given


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) > 0):
        abort(problem(400, f"{name} must be a whole number above 0."))
    return int(text)
