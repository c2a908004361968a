"""How a service answers: media types, refusals, and faults."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from flask import Response, abort, jsonify, make_response, request

from lti_server_demo_lms.faults import Answer

MEDIA = "application/vnd.ims."


def media(body: object, kind: str, status: int = 200) -> Response:
    response = make_response(jsonify(body), status)
    response.headers["Content-Type"] = MEDIA + kind
    return response


def problem(status: int, text: str) -> Response:
    """A refusal that the tool's developer reads; it names no person."""
    return make_response(jsonify(error=text), status)


def fault(answer: Answer) -> Response:
    """What a test wants in place of a service's own answer."""
    return make_response(jsonify(error="fault"), answer.status, dict(answer.headers))


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
