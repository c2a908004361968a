"""The two steps of a launch that a browser takes here: the start of a login, and the authorization endpoint."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from lti_server_demo_lms import logins, messages
from lti_server_demo_lms.pages import who
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.words import language
from lti_server_demo_lms.world import District, Person

PRIVACY = "privacy"
# Security Framework 1.0, 5.1.1.2.
WANTED = {"response_type": "id_token", "response_mode": "form_post", "prompt": "none"}


def blueprint(parts: Parts) -> Blueprint:
    """`/<district>/launch/<link>`, `/<district>/data-privacy` and `/<district>/auth`."""
    views = Blueprint("launches", __name__, url_prefix="/<slug>")
    _add_data_privacy(views, parts)

    @views.get("/launch/<link_id>")
    def launch(slug: str, link_id: str) -> Response:
        """Third-party initiated login (Security Framework 1.0, 5.1.1.1)."""
        district = parts.district(slug)
        person, placed = who(district), district.link(link_id)
        if person is None or placed is None or placed[0].enrolment(person.id) is None:
            abort(404)
        framed = request.args.get("in") == "frame"
        hint = f"{'frame' if framed else 'window'}:{link_id}"
        target = placed[1].target or parts.config.launch_url
        query = logins.query(parts, district, person, target, hint, framed=framed)
        return redirect(f"{parts.config.login_url}?{urlencode(query)}")

    @views.route("/auth", methods=["GET", "POST"])
    def auth(slug: str) -> str | tuple[str, int]:
        """Answers with a form that posts itself to the tool.

        Where the client or its address is not the registered one, nothing is sent there (RFC 6749, 4.1.2.1).
        """
        given = request.values

        def asks(one: District) -> bool:
            person = who(one)
            return person is not None and person.id == given.get("login_hint")

        district = parts.at_endpoint(slug, asks)
        if given.get("client_id") != district.client_id:
            return _refused("client_id")
        if given.get("redirect_uri") != parts.config.launch_url:
            return _refused("redirect_uri")
        return _posted(parts, district)

    return views


def _add_data_privacy(views: Blueprint, parts: Parts) -> None:
    @views.get("/data-privacy")
    def data_privacy(slug: str) -> Response:
        """The start of a login for an administrator who asks what the tool keeps of everybody, or of `about`."""
        district, about = parts.district(slug), request.args.get("about", "")
        person = who(district)
        asks = person is not None and district.administrator(person.id) is not None
        if person is None or not asks or parts.config.profile.privacy_message is None:
            abort(404)
        if about and district.person(about) is None:
            abort(404)
        query = logins.query(parts, district, person, parts.config.launch_url, f"{PRIVACY}:{about}")
        return redirect(f"{parts.config.login_url}?{urlencode(query)}")


def _posted(parts: Parts, district: District) -> str:
    """The form that carries the answer to the tool."""
    state = request.values.get("state")
    fields = {**_answer(parts, district), **({"state": state} if state else {})}
    privacy = request.values.get("lti_message_hint", "").startswith(f"{PRIVACY}:")
    return render_template("post.html", action=parts.config.launch_url, fields=fields, privacy=privacy)


def _refused(reason: str) -> tuple[str, int]:
    return render_template("refused.html", title="The tool’s request cannot be answered", reason=reason), 400


def _answer(parts: Parts, district: District) -> dict[str, str]:
    """The id_token, or the error of OpenID Connect Core 1.0, 3.1.2.6."""
    given = request.values
    if "openid" not in given.get("scope", "").split():
        return _error("invalid_scope", "scope must be openid.")
    for name, value in WANTED.items():
        if given.get(name) != value:
            return _error("invalid_request", f"{name} must be {value}.")
    if not given.get("nonce") or not given.get("state"):
        return _error("invalid_request", "nonce and state must be there.")
    person = who(district)
    if person is None or given.get("login_hint") != person.id:
        return _error("login_required", "login_hint is not who is signed in.")
    kind, _, named = given.get("lti_message_hint", "").partition(":")
    said = _privacy(parts, district, person, named) if kind == PRIVACY else _link(parts, district, person, kind, named)
    if said is None:
        return _error("invalid_request", "lti_message_hint is not what the login began with.")
    return {"id_token": messages.signed(parts.key, said)}


def _privacy(parts: Parts, district: District, person: Person, about_id: str) -> dict[str, Any] | None:
    """A data privacy launch; None where it could not have begun here."""
    about = district.person(about_id) if about_id else None
    known = parts.config.profile.privacy_message is not None and district.administrator(person.id) is not None
    if not known or (about_id and about is None):
        return None
    launch = messages.PrivacyLaunch(
        district=district, administrator=person, about=about, nonce=request.values["nonce"], locale=language()
    )
    return messages.privacy_claims(parts, launch)


def _link(parts: Parts, district: District, person: Person, kind: str, link_id: str) -> dict[str, Any] | None:
    """A resource link launch; None where it could not have begun here."""
    course, link = district.link(link_id) or (None, None)
    enrolment = course.enrolment(person.id) if course else None
    if course is None or link is None or enrolment is None:
        return None
    launch = messages.Launch(
        district=district, course=course, link=link, enrolment=enrolment, nonce=request.values["nonce"],
        locale=language(), framed=kind == "frame",
    )  # fmt: skip
    parts.store.launched(district.slug, person.id)
    return messages.claims(parts, launch)


def _error(code: str, text: str) -> dict[str, str]:
    return {"error": code, "error_description": text}
