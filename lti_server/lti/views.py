"""The LTI tool's endpoints: login, launch, and the key set (design 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Blueprint, Response, jsonify, redirect, request
from flask_babel import gettext

from lti_server.errors import LaunchRejected
from lti_server.lti.addresses import with_parameters
from lti_server.lti.data_privacy_views import PrivacyParts, add_data_privacy
from lti_server.lti.keys import ToolKeys
from lti_server.lti.notice_views import Take as TakeBatch
from lti_server.lti.notice_views import add_notices
from lti_server.lti.picker import Picker
from lti_server.lti.picker_views import add_picker
from lti_server.lti.registrations import Registrations
from lti_server.lti.state import AGAIN, LONGEST_LOGIN_S, LoginState, StateSigner
from lti_server.web.guards import public
from lti_server.web.problems import note_refusal, wants_page

LONGEST_PARAMETER = 8_192
SECURE_TWIN = "_s"
JWKS_AGE_S = 3_600


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
    _needed(given, "target_link_uri")
    # Canvas has sent the deployment under both names.
    deployment_id = _optional(given, "lti_deployment_id") or _optional(given, "deployment_id")
    found = parts.registrations.at_login(issuer, _optional(given, "client_id"), deployment_id)
    issued, nonce = parts.states.issue(found.issuer, found.client_id, deployment_id)
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": found.client_id,
        "redirect_uri": f"{parts.base_url}/lti/launch",
        "login_hint": login_hint,
        "state": issued.text,
        "nonce": nonce,
    }
    hint = _optional(given, "lti_message_hint")
    if hint is not None:
        query["lti_message_hint"] = hint
    response = redirect(with_parameters(found.auth_login_url, query), 302)
    assert isinstance(response, Response)
    _bind(response, parts, issued.cookie_name, issued.cookie_value)
    return response


def _launch(parts: LtiParts, form: Mapping[str, str], cookies: Mapping[str, str]) -> Response:
    """Take the platform's answer: an id_token, or an OpenID error (OpenID Connect Core 3.1.2.6)."""
    if form.get("error"):
        raise LaunchRejected("platform-error", f"The LMS refused to sign you in for this lesson. {AGAIN}")
    state = parts.states.read(form.get("state", ""), _login_cookies(cookies))
    id_token = form.get("id_token", "")
    if not id_token:
        raise LaunchRejected("not-a-jwt", "What the LMS sent is not a launch (no id_token).")
    try:
        response = _redirect(parts.take_message(id_token, state))
    except LaunchRejected as refused:
        if refused.return_to is None or not wants_page():
            raise
        response = _returned(refused, refused.return_to)
    _unbind(response, parts, state.cookie_name)
    return response


def _redirect(address: str) -> Response:
    response = redirect(address, 303)
    assert isinstance(response, Response)
    return response


def _returned(refused: LaunchRejected, address: str) -> Response:
    """Back to the course with words for the reader, and a line for the LMS's own log (LTI Core 5.4.4)."""
    told = {"lti_errormsg": gettext(refused.detail), "lti_errorlog": f"{refused.reason} {note_refusal(refused)}"}
    return _redirect(with_parameters(address, told))


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


def _login_cookies(cookies: Mapping[str, str]) -> dict[str, str]:
    """Cookies by the name that the state knows: the secure twin stands in where the plain one was not sent."""
    twins = {name.removesuffix(SECURE_TWIN): value for name, value in cookies.items() if name.endswith(SECURE_TWIN)}
    return {**twins, **{name: value for name, value in cookies.items() if not name.endswith(SECURE_TWIN)}}


def _bind(response: Response, parts: LtiParts, name: str, value: str) -> None:
    """Cookies that come back with the platform's cross-site POST, inside a frame too.

    `Partitioned` and `SameSite=None` need `Secure`, which browsers honour on loopback as well. Over plain http
    (loopback alone, by the rule on BASE_URL) a plain cookie goes along for clients that keep `Secure` to https.
    """
    common: dict[str, Any] = {"max_age": LONGEST_LOGIN_S, "path": "/lti", "httponly": True}
    response.set_cookie(name + SECURE_TWIN, value, secure=True, samesite="None", partitioned=True, **common)
    if not parts.base_url.startswith("https://"):
        response.set_cookie(name, value, samesite="Lax", **common)


def _unbind(response: Response, parts: LtiParts, name: str) -> None:
    response.delete_cookie(
        name + SECURE_TWIN, path="/lti", secure=True, samesite="None", partitioned=True, httponly=True
    )
    if not parts.base_url.startswith("https://"):
        response.delete_cookie(name, path="/lti", samesite="Lax", httponly=True)
