"""The LTI tool's endpoints: login, launch, and the key set (design 6.3)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext
from werkzeug.urls import iri_to_uri

from lti_server.errors import LaunchRejected
from lti_server.lti import signature
from lti_server.lti.addresses import with_parameters
from lti_server.lti.binding_cookies import bind, login_cookies, unbind
from lti_server.lti.data_privacy_views import PrivacyParts, add_data_privacy
from lti_server.lti.keys import ToolKeys
from lti_server.lti.login_pages import (
    BINDING,
    OWN_WINDOW,
    Begun,
    ask_page,
    in_frame,
    login_page,
    onward_page,
    window_page,
)
from lti_server.lti.notice_views import Take as TakeBatch
from lti_server.lti.notice_views import add_notices
from lti_server.lti.picker import Picker
from lti_server.lti.picker_views import add_picker
from lti_server.lti.platform_storage import origin_of, storage_target
from lti_server.lti.registrations import Registrations
from lti_server.lti.state import LoginState, NotBound, StateSigner
from lti_server.web.guards import public
from lti_server.web.problems import note_refusal, wants_page

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers

HTML = "text/html; charset=utf-8"
LONGEST_PARAMETER = 8_192
JWKS_AGE_S = 3_600
# After a login that began again in a new window, most likely a hint that is good for one use.
NOT_SIGNED_IN = (
    "The LMS refused to sign you in for this lesson. Perhaps it lets a lesson be opened only once in this way: "
    "reload the page of your course, and open the lesson again from there, in a new window if it stays so."
)


class Take(Protocol):
    def __call__(self, id_token: str, state: LoginState) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LtiParts:
    """What the endpoints need; they meet in `app`."""

    registrations: Registrations
    states: StateSigner
    picker: Picker
    take_message: Take
    take_notices: TakeBatch
    privacy: PrivacyParts
    tool_keys: ToolKeys
    base_url: str

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https://")


def blueprint(parts: LtiParts) -> Blueprint:
    """`/lti/…`. A platform posts here from another site: the signed state takes the place of a CSRF token."""
    pages = Blueprint(
        "lti", __name__, url_prefix="/lti", template_folder="templates", static_folder="static/lti",
        static_url_path="/static",
    )  # fmt: skip

    @pages.route("/login", methods=["GET", "POST"])
    @public("the platform begins a login")
    def login() -> Response:
        return _login(parts, request.values)

    @pages.post("/launch")
    @public("the id_token and the state are the credentials")
    def launch() -> Response:
        return _launch(parts, request.form, request.cookies)

    @pages.get("/jwks")
    @public("public keys")
    def jwks() -> Response:
        response = jsonify(parts.tool_keys.public_jwks())
        response.headers["Cache-Control"] = f"public, max-age={JWKS_AGE_S}"
        return response

    add_picker(pages, parts.picker)
    add_data_privacy(pages, parts.privacy)
    add_notices(pages, parts.take_notices, parts.base_url)
    return pages


def _login(parts: LtiParts, given: Mapping[str, str]) -> Response:
    """Answer a third-party initiated login (Security Framework 1.0, 5.1.1)."""
    issuer, login_hint = _needed(given, "iss"), _needed(given, "login_hint")
    target = _needed(given, "target_link_uri")
    # Canvas has sent the deployment under both names.
    deployment_id = _optional(given, "lti_deployment_id") or _optional(given, "deployment_id")
    found = parts.registrations.at_login(issuer, _optional(given, "client_id"), deployment_id)
    hint = _optional(given, "lti_message_hint")
    hints = {"login_hint": login_hint, **({} if hint is None else {"lti_message_hint": hint})}
    own_window = bool(given.get(OWN_WINDOW))
    storage = storage_target(given) or (found.storage_frame if in_frame() else None)
    storage = None if own_window else storage
    by_page = own_window or storage is not None or in_frame()
    again = {"iss": found.issuer, "client_id": found.client_id, "target_link_uri": target, **hints}
    if deployment_id is not None:
        again["lti_deployment_id"] = deployment_id
    again = again if by_page and not own_window else {}
    issued = parts.states.issue(found.issuer, found.client_id, deployment_id, storage_target=storage, restart=again)
    asked = _authorization(found.auth_login_url, found.client_id, f"{parts.base_url}/lti/launch")
    address = with_parameters(asked, {"state": issued.text, "nonce": issued.nonce, **hints})
    begun = Begun(login=found, issued=issued, address=address, storage_target=storage, restart=again)
    response = login_page(begun, https=parts.https) if by_page else _redirect(address, 302)
    bind(response, issued.cookie_name, issued.cookie_value, https=parts.https)
    return response


@functools.lru_cache(maxsize=1_024)
def _authorization(auth_login_url: str, client_id: str, launch_url: str) -> str:
    """The authentication request, but for what each login has of its own (Security Framework 1.0, 5.1.1.2)."""
    asked = {
        "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
        "client_id": client_id, "redirect_uri": launch_url,
    }  # fmt: skip
    return with_parameters(auth_login_url, asked)


def _launch(parts: LtiParts, form: Mapping[str, str], cookies: Mapping[str, str]) -> Response:
    """Take the platform's answer: an id_token, or an OpenID error (OpenID Connect Core 3.1.2.6)."""
    if form.get("error"):
        raise LaunchRejected("platform-error", NOT_SIGNED_IN)
    try:
        state = parts.states.read(form.get("state", ""), login_cookies(cookies), _stored(parts, form))
    except NotBound as refused:
        return _unbound(parts, form, refused)
    id_token = form.get("id_token", "")
    if not id_token:
        raise LaunchRejected("not-a-jwt", "What the LMS sent is not a launch (no id_token).")
    try:
        address = parts.take_message(id_token, state)
    except LaunchRejected as refused:
        if refused.return_to is None or not wants_page():
            raise
        address = _returned(refused, refused.return_to)
    response = onward_page(address) if BINDING in form else _redirect(address, 303)
    unbind(response, state.cookie_name, https=parts.https)
    return response


def _stored(parts: LtiParts, form: Mapping[str, str]) -> str | None:
    """What our own page had from the platform's storage.

    From any other page it counts for nothing: whoever began a launch knows its binding, and could have somebody else's
    browser post all of it. A browser names the origin of every post (Fetch, 3.2).
    """
    if request.headers.get("Origin") != origin_of(parts.base_url):
        return None
    return form.get(BINDING)


def _unbound(parts: LtiParts, form: Mapping[str, str], refused: NotBound) -> Response:
    """A launch without its cookie opens by the platform's storage, or in a window of its own, or not at all."""
    login = refused.login
    if not wants_page():
        raise refused.refusal
    if login.storage_target is not None and BINDING not in form:
        id_token = form.get("id_token", "")
        signature.read(id_token)
        found = parts.registrations.at_login(login.issuer, login.client_id, login.deployment_id)
        return ask_page(login, found.storage_origin, id_token, form["state"])
    if in_frame() and login.restart:
        return window_page(login.restart, note_refusal(refused.refusal))
    raise refused.refusal


class _Onward(Response):
    """An answer that sends the browser on. Its headers are final: the address is one already (RFC 3986)."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        return self.headers


def _redirect(address: str, status: int) -> Response:
    there = address if address.isascii() else iri_to_uri(address)
    return _Onward(b"", status, headers=[("Location", there), ("Content-Length", "0")], content_type=HTML)


def _returned(refused: LaunchRejected, address: str) -> str:
    """Back to the course with words for the reader, and a line for the LMS's own log (LTI Core 5.4.4)."""
    told = {"lti_errormsg": gettext(refused.detail), "lti_errorlog": f"{refused.reason} {note_refusal(refused)}"}
    return with_parameters(address, told)


def _needed(given: Mapping[str, str], name: str) -> str:
    found = _optional(given, name)
    if found is None:
        raise LaunchRejected("login-incomplete", f"The LMS did not say enough to begin: {name} is missing.")
    return found


def _optional(given: Mapping[str, str], name: str) -> str | None:
    found = given.get(name) or None
    if found is not None and (len(found) > LONGEST_PARAMETER or "\x00" in found):
        raise LaunchRejected("login-incomplete", f"The LMS sent something that cannot be read: {name}.")
    return found
