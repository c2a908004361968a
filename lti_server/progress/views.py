"""The API of a lesson: save, resume, renew, and the hand-over to a lesson on another site (design 6.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from flask import Response, request
from flask.views import MethodView

from lti_server.errors import NotAuthenticated
from lti_server.lessons.handoff import HandedOver, LessonSession
from lti_server.progress.model import Attempt
from lti_server.progress.schemas import (
    AttemptSchema,
    LaunchContextSchema,
    SavedSchema,
    StateSchema,
    TicketSchema,
    TokenSchema,
)
from lti_server.progress.service import Progress
from lti_server.web.api import ApiBlueprint
from lti_server.web.guards import bearer, public

CORS_AGE_S = 600


class HandOff(Protocol):
    def exchange(self, ticket: str, lesson_id: str | None = None) -> HandedOver | None: ...
    def renew(self, token: str) -> HandedOver: ...


# A class of methods, each of which declares for itself who may call it.
EACH_DECLARES = [public("each method declares its own")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressParts:
    """What the endpoints need. `origins` gives the origins of lessons on other sites, as they stand now."""

    progress: Progress
    handoff: HandOff
    origins: Callable[[], frozenset[str]]
    api_url: str


def blueprint(parts: ProgressParts) -> ApiBlueprint:
    """`/api/v1/progress`, `/api/v1/token/renew` and `/api/v1/launch-context`. No cookie is read here."""
    api = ApiBlueprint("progress", __name__, url_prefix="/api/v1", description="What a lesson may do with its token.")

    class ProgressView(MethodView):
        decorators = EACH_DECLARES

        @api.arguments(AttemptSchema)
        @api.response(200, SavedSchema)
        @public("without a token nothing is kept (A-02); with one it is the credential")
        def post(self, attempt: Attempt) -> dict[str, Any]:
            """Save an attempt. The same attempt_id again changes nothing; without a token nothing is kept."""
            if "Authorization" in request.headers:
                found = parts.progress.record(_token(), attempt)
            else:
                found = parts.progress.check_anonymous(attempt)
            if found.summary is None:
                return {"saved": found.saved}
            summary = dataclasses.asdict(found.summary)
            summary.pop("optimal")
            return {"saved": found.saved, "summary": summary}

        @api.response(200, StateSchema)
        @bearer("progress:read")
        def get(self) -> dict[str, Any]:
            """Where the pupil stands in the lesson of the token."""
            return parts.progress.state(_token())

    api.add_url_rule("/progress", "progress", ProgressView)
    _token_views(api, parts)
    api.after_request(_cors(parts.origins))
    return api


def _token_views(api: ApiBlueprint, parts: ProgressParts) -> None:
    class RenewView(MethodView):
        decorators = EACH_DECLARES

        @api.response(200, TokenSchema)
        @bearer("progress:write")
        def post(self) -> dict[str, Any]:
            """Another token for two hours, until the session ends."""
            handed = parts.handoff.renew(_token())
            return {"token": handed.token, "expires_at": _utc(handed.token_expires_at)}

    class LaunchContextView(MethodView):
        decorators = EACH_DECLARES

        @api.arguments(TicketSchema)
        @api.response(200, LaunchContextSchema)
        @public("the ticket is the credential, once and for a minute")
        def post(self, given: dict[str, str]) -> dict[str, Any]:
            """A ticket for a lesson's token."""
            handed = parts.handoff.exchange(given["ticket"])
            if handed is None:
                raise NotAuthenticated("This ticket was used or is too old. Open the lesson again from your course.")
            return _context(parts, handed)

    api.add_url_rule("/token/renew", "renew", RenewView)
    api.add_url_rule("/launch-context", "launch_context", LaunchContextView)


def _context(parts: ProgressParts, handed: HandedOver) -> dict[str, Any]:
    session: LessonSession = handed.session
    return {
        "token": handed.token,
        "expires_at": _utc(handed.token_expires_at),
        "lesson_id": session.lesson_id,
        "activity_id": session.activity_id,
        "api": parts.api_url,
        "locale": session.locale,
        "pseudonym": parts.progress.pseudonym(session),
    }


def _token() -> str:
    """The bearer token of the request (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Send the lesson's token: Authorization: Bearer <token>.")
    return token.strip()


def _cors(origins: Callable[[], frozenset[str]]) -> Callable[[Response], Response]:
    """Open to the declared origins of lessons on other sites, and never with credentials."""

    def add(response: Response) -> Response:
        origin = request.headers.get("Origin")
        response.headers.add("Vary", "Origin")
        if origin is not None and origin in origins():
            response.headers["Access-Control-Allow-Origin"] = origin
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "GET, POST"
                response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
                response.headers["Access-Control-Max-Age"] = str(CORS_AGE_S)
            else:
                response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response

    return add


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
