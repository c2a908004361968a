"""`/age`: the one neutral question at a first sign-in, where nobody else says how old a pupil is."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from lti_server.accounts.age_words import AgeWords
from lti_server.accounts.person_sessions import PersonSession, PersonSessions
from lti_server.accounts.sign_in_views import COOKIE
from lti_server.errors import Conflict, InvalidInput
from lti_server.web.cookies import set_token
from lti_server.web.guards import public

LATER = "lti_age"
"""The cookie of who would rather not say now: for as long as the browser is open."""


def is_asked(words: AgeWords, session: PersonSession) -> bool:
    """Whether somebody who came in is to be asked now."""
    pupil = session.role == "pupil" and LATER not in request.cookies
    return pupil and words.asks(session.district_id, session.person_id)


def blueprint(words: AgeWords, sessions: PersonSessions, base_url: str) -> Blueprint:
    """Keeps whole years, once. The page does not say what an answer opens, and takes none a second time."""
    pages = Blueprint("age", __name__, url_prefix="/age")

    @pages.get("")
    @public("asks whoever is signed in")
    def index() -> Response:
        session = sessions.of(request.cookies.get(COOKIE, ""))
        if session is None or not is_asked(words, session):
            return _on(session)
        return make_response(render_template("age.html", wrong=False))

    @pages.post("")
    @public("the session's cookie is the credential")
    def say() -> Response:
        session = sessions.of(request.cookies.get(COOKIE, ""))
        if session is None:
            return _on(session)
        if "later" in request.form:
            answer = _on(session)
            set_token(
                answer,
                LATER,
                "1",
                path=urlsplit(base_url).path or "/",
                secure=base_url.startswith("https://"),
                httponly=True,
                samesite="Lax",
            )
            return answer
        try:
            words.say(session.district_id, session.person_id, request.form.get("years", ""))
        except InvalidInput:
            return make_response(render_template("age.html", wrong=True), 422)
        except Conflict:  # the way back, or a second window: what was said first stands
            return _on(session)
        return _on(session)

    return pages


def _on(session: PersonSession | None) -> Response:
    return make_response(redirect(url_for("sign_in.index" if session is None else "learn.index"), 303))
