"""Whether this process lives and may be sent requests, and figures for whoever watches it."""

from __future__ import annotations

import functools
import hmac

import sqlalchemy as sa
from flask import Flask, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from lti_server import __version__
from lti_server.db import Database
from lti_server.errors import NotFound
from lti_server.web.guards import public

LOOPBACK = ("127.0.0.1", "::1")


def init_health(app: Flask, database: Database, metrics_token: str | None) -> None:
    """`/healthz`, `/readyz` and `/metrics`; the last for METRICS_TOKEN, or without one for loopback alone."""
    figures = _counted(app)

    @app.get("/healthz")
    @public("says that the process lives")
    def healthz() -> Response:
        return jsonify(ok=True)

    @app.get("/readyz")
    @public("says that the database answers")
    def readyz() -> tuple[Response, int]:
        try:
            with database.anyone() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            return jsonify(ok=False), 503
        return jsonify(ok=True), 200

    @app.get("/metrics")
    @public("the token is the credential, or loopback")
    def metrics() -> Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if metrics_token is None:
            allowed = request.remote_addr in LOOPBACK
        else:
            allowed = hmac.compare_digest(given.encode(), metrics_token.encode())
        if not allowed:
            raise NotFound("Check the address.")
        return Response(generate_latest(figures), content_type=CONTENT_TYPE_LATEST)


def _counted(app: Flask) -> CollectorRegistry:
    """Counts every answer, by status class and endpoint."""
    figures = CollectorRegistry()
    answers = Counter(
        "lti_server_answers", "Answers by status class and endpoint", ["status", "endpoint"], registry=figures
    )
    Gauge("lti_server_info", "This program", ["version"], registry=figures).labels(__version__).set(1)

    @functools.cache
    def counter(status_class: int, endpoint: str) -> Counter:
        return answers.labels(f"{status_class}xx", endpoint)

    @app.after_request
    def count(response: Response) -> Response:
        counter(response.status_code // 100, request.endpoint or "none").inc()
        return response

    return figures
