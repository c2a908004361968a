"""`/audit`: the public keys by which anyone checks a signed file of this server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from lti_server.web.guards import public


def blueprint(jwks: Callable[[], dict[str, Any]]) -> Blueprint:
    """`GET /audit/jwks`."""
    pages = Blueprint("audit", __name__, url_prefix="/audit")

    @pages.get("/jwks")
    @public("public halves of keys")
    def keys() -> Response:
        answer = jsonify(jwks())
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer

    return pages
