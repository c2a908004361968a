"""From errors to answers: one table of statuses, problem documents (RFC 9457), and pages for people."""

from __future__ import annotations

import json
from uuid import uuid4

import structlog
from flask import Flask, Response, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from lti_server import errors
from lti_server.errors import LtiServerError

PROBLEM = "application/problem+json"

# The most special class comes first.
STATUS: dict[type[LtiServerError], int] = {
    errors.TooLarge: 413,
    errors.InvalidInput: 422,
    errors.NotAuthenticated: 401,
    errors.LaunchRejected: 403,
    errors.SignInRefused: 403,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooManyRequests: 429,
    errors.ProviderLimitsUs: 503,
    errors.ProviderFailed: 502,
    errors.ConfigurationError: 500,
    LtiServerError: 500,
}


def status_of(error: LtiServerError) -> int:
    """The HTTP status of an error, by its nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: LtiServerError, *, base_url: str = "", instance: str = "") -> dict[str, object]:
    """The problem document: `type` leads to a page about it, `instance` is the id of the log line."""
    document: dict[str, object] = {
        "type": f"{base_url}/problems/{error.slug}",
        "title": error.title,
        "status": status_of(error),
        "detail": error.detail,
        **error.public,
    }
    if instance:
        document["instance"] = f"urn:uuid:{instance}"
    return document


def init_problems(app: Flask, base_url: str) -> None:
    """Answer every error from the table: as a page where a browser asks, else as a problem document."""

    @app.errorhandler(LtiServerError)
    def ours(error: LtiServerError) -> Response:
        return answer(error, base_url)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.code is not None and error.code < 400 and error.response is not None:
            return error.get_response()  # type: ignore[return-value]  # a redirect that werkzeug raised
        found = answer(_from_http(error), base_url, status=error.code or 500)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After", "WWW-Authenticate"):
                found.headers[name] = value
        return found

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        return answer(LtiServerError(UNEXPECTED), base_url, cause=error)


UNEXPECTED = "This is a fault of the server, not yours. Try again; if it stays so, tell the operator the number below."


def _from_http(error: HTTPException) -> LtiServerError:
    kinds: dict[int, LtiServerError] = {
        400: errors.InvalidInput("The request cannot be read."),
        404: errors.NotFound("Check the address."),
        405: errors.InvalidInput("This address does not take requests of this kind."),
        413: errors.TooLarge("Send less at once."),
        415: errors.InvalidInput("Send JSON, with the header Content-Type: application/json."),
        422: errors.InvalidInput("The request is not as it must be."),
        429: errors.TooManyRequests("Wait a moment, then try again.", retry_after_s=60),
    }
    return kinds.get(error.code or 500, LtiServerError(UNEXPECTED))


def answer(
    error: LtiServerError, base_url: str, *, status: int | None = None, cause: Exception | None = None
) -> Response:
    """The response to an error; the log line has the same id, and neither has personal data."""
    code = status or status_of(error)
    instance = note_refusal(error, code, cause)
    document = problem(error, base_url=base_url, instance=instance)
    document["status"] = code
    response = _page(error, code, instance) if wants_page() else _document(document, code)
    retry = error.public.get("retry_after_s")
    if isinstance(retry, int):
        response.headers["Retry-After"] = str(retry)
    if code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def note_refusal(error: LtiServerError, code: int | None = None, cause: Exception | None = None) -> str:
    """The log line of an error; answers its id, by which the operator finds it."""
    instance, status = str(uuid4()), code or status_of(error)
    log = structlog.get_logger("lti_server.web")
    told = {"id": instance, "slug": error.slug, "status": status, "reason": error.public.get("reason")}
    if status >= 500:
        log.error("request failed", **told, internal=error.internal, cause=type(cause).__name__, exc_info=cause)
    else:
        log.info("request refused", **told, internal=error.internal)
    return instance


def wants_page() -> bool:
    """A browser, by what it accepts; the API answers in documents alone."""
    if request.path.startswith("/api/"):
        return False
    accepts = request.accept_mimetypes
    best = accepts.best_match(["text/html", PROBLEM, "application/json"], default="text/html")
    return best == "text/html"


def _page(error: LtiServerError, code: int, instance: str) -> Response:
    text = render_template(
        "error.html", title=_(error.title), detail=_(error.detail), status=code, instance=instance, error_id=instance
    )
    return Response(text, status=code, mimetype="text/html")


def _document(document: dict[str, object], code: int) -> Response:
    return Response(json.dumps(document), status=code, content_type=PROBLEM)
