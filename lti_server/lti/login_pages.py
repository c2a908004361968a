"""Pages between login and launch, for browsers that keep no cookies in a frame.

A form's policy (CSP `form-action`) holds for every redirect that follows it, and a login goes over hosts that nobody
here knows. So what a form of ours leads to is a page, which goes on by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, make_response, render_template, request

from lti_server.lti import binding_cookies
from lti_server.lti.logins import Login
from lti_server.lti.state import IssuedState, LoginState

FRAMES = frozenset({"iframe", "frame", "embed", "object"})
# Says of a login, or of a launch, that one of these pages sent it.
OWN_WINDOW, BINDING = "own_window", "binding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A login on its way to the platform. `address` is the authorization URL with its parameters.

    `restart` has the parameters that begin it again; it is empty in a window of its own, where nothing is left to try.
    """

    login: Login
    issued: IssuedState
    address: str = field(repr=False)
    storage_target: str | None
    restart: Mapping[str, str] = field(repr=False)


def in_frame() -> bool:
    """Whether the browser says that it shows this in a frame (Fetch Metadata); one that says nothing is in none."""
    return request.headers.get("Sec-Fetch-Dest") in FRAMES


def login_page(begun: Begun, *, https: bool) -> Response:
    """Go on to the platform once the browser or the platform's storage has the binding; else offer a new window.

    The platform's hint is often good for one use, so the window is offered before it is spent.
    """
    issued = begun.issued
    response = _beside_the_platform(make_response())
    script: dict[str, Any] = {
        "origin": begun.login.storage_origin,
        "frame": begun.storage_target,
        "key": issued.cookie_name,
        "value": issued.stored_value,
        "probes": binding_cookies.probe(response, issued.cookie_name, https=https),
    }
    response.set_data(render_template("lti/login.html", address=begun.address, script=script, restart=begun.restart))
    return response


def ask_page(login: LoginState, origin: str, id_token: str, state: str) -> Response:
    """A launch whose cookie did not come: ask the platform's storage for the binding, and send it on with that.

    The page may name itself to its own origin, by which the post that comes from it is told from any other.
    """
    script = {"origin": origin, "frame": login.storage_target, "key": login.cookie_name}
    page = render_template("lti/ask_storage.html", id_token=id_token, state=state, script=script, restart=login.restart)
    response = _beside_the_platform(make_response(page))
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def window_page(restart: Mapping[str, str], error_id: str) -> Response:
    """A launch that cannot open in this frame, and the way to begin it again in a window of its own."""
    return make_response(render_template("lti/own_window.html", restart=restart, error_id=error_id), 403)


def onward_page(address: str) -> Response:
    """Goes on to an address of ours, of a lesson or of the platform."""
    return make_response(render_template("lti/onward.html", address=address))


def _beside_the_platform(response: Response) -> Response:
    """A window that the platform opened keeps its opener, which is where its storage is then."""
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response
