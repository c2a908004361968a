"""`/learn`: somebody who signed in finds their classes and the lessons, and opens one with their work saved."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale

from lti_server.accounts.age_words import AgeWords
from lti_server.accounts.person_sessions import PersonSession, PersonSessions
from lti_server.accounts.sign_in_views import COOKIE
from lti_server.age_page import is_asked
from lti_server.errors import NotFound
from lti_server.house import House
from lti_server.statements import Statement
from lti_server.web.guards import public

_CLASSES = Statement("SELECT * FROM classes_read(:district, :person)")


def blueprint(house: House, sessions: PersonSessions, words: AgeWords) -> Blueprint:
    """Reads the names of one's own classes; keeps nothing but the session of a lesson that is opened."""
    pages = Blueprint("learn", __name__, url_prefix="/learn")

    @pages.get("")
    @public("shows who is signed in what is theirs; anybody else the way in")
    def index() -> Response:
        session = sessions.of(request.cookies.get(COOKIE, ""))
        if session is None:
            return make_response(redirect(url_for("sign_in.index"), 303))
        if is_asked(words, session):
            return make_response(redirect(url_for("age.index"), 303))
        rows = house.database.once_every(_CLASSES, {"district": session.district_id, "person": session.person_id})
        classes = [{"name": name, "role": role} for _, name, role in rows if role is not None]
        ticket = house.rights.own_door.ticket(session.district_id, session.id, session.expires_at)
        values = {"district": rows[0][0], "classes": classes, "lessons": _lessons(house), "own_ticket": ticket}
        return make_response(render_template("learn.html", **values))

    @pages.post("/<lesson_id>")
    @public("the session's cookie is the credential; without one the lesson opens without an account")
    def open_lesson(lesson_id: str) -> Response:
        lesson = house.catalogue.get(lesson_id)
        session = sessions.of(request.cookies.get(COOKIE, ""))
        if session is None:
            return make_response(redirect(url_for("lessons.play", lesson_id=lesson.id), 303))
        if lesson.url is not None:
            raise NotFound("This lesson is on another site. Open it from your course.")
        with house.database.tenant(session.district_id) as connection:
            ticket = house.handoff.begin(connection, _session(session), lesson.id)
        return make_response(redirect(url_for("lessons.play", lesson_id=lesson.id, ticket=ticket), 303))

    return pages


def _lessons(house: House) -> list[dict[str, Any]]:
    locale = str(get_locale() or "en")
    return [
        {"id": one.id, "title": one.title.within(locale), "summary": one.summary.within(locale)}
        for one in house.catalogue.lessons()
        if one.url is None
    ]


def _session(session: PersonSession) -> dict[str, object]:
    return {
        "district": session.district_id, "person": session.person_id, "identity": session.identity_id,
        "role": session.role, "grant": session.grant_id, "epoch": session.epoch, "locale": session.locale,
        "until": session.expires_at,
    }  # fmt: skip
