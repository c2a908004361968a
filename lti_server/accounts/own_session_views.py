"""The sessions on `/me`: somebody sees where they are signed in, and ends what is not theirs any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, request, url_for

from lti_server.accounts.live_sessions import LiveSessions, Which
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.own_views import PERMISSION
from lti_server.errors import NotFound
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSessionParts:
    """`who` says whose page it is; it raises where nobody is."""

    sessions: LiveSessions
    who: Callable[[], OwnSession]


def blueprint(parts: OwnSessionParts) -> Blueprint:
    """Two forms of the own page. Whose sessions they end is never asked of the form."""
    pages = Blueprint("own_sessions", __name__, url_prefix="/me/sessions")

    @pages.post("/end")
    @signed_in(PERMISSION)
    def end() -> Response:
        who = parts.who()
        _end(parts, who, Which(person_id=who.person_id, one=_id(request.form.get("session", ""))))
        return _back()

    @pages.post("/end-others")
    @signed_in(PERMISSION)
    def end_others() -> Response:
        who = parts.who()
        _end(parts, who, Which(person_id=who.person_id, but=who.id))
        return _back()

    return pages


def _end(parts: OwnSessionParts, who: OwnSession, which: Which) -> None:
    parts.sessions.end(who.district_id, which, by=f"person:{who.person_id}")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("Choose one of the sessions that your page shows.") from error


def _back() -> Response:
    return make_response(redirect(url_for("me.index", _anchor="sessions"), 303))
