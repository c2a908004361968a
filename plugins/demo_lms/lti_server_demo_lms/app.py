"""The platform as a Flask application."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, render_template
from werkzeug.exceptions import HTTPException

from lti_server_demo_lms import gradebook, launches, pages, services, words
from lti_server_demo_lms.faults import Faults
from lti_server_demo_lms.identity import named
from lti_server_demo_lms.keys import PlatformKey, ToolKeys
from lti_server_demo_lms.parts import DemoLmsConfig, Parts
from lti_server_demo_lms.roster import Roster
from lti_server_demo_lms.store import Store
from lti_server_demo_lms.tokens import Tokens

EXTENSION = "demo_lms"


def create_app(config: DemoLmsConfig) -> Flask:
    """The platform. `app.extensions["demo_lms"]` gives tests its parts, with `faults` to set."""
    config = replace(config, world=named(config.world, config.profile))
    store = Store(config.data_dir)
    parts = Parts(
        config=config,
        store=store,
        key=PlatformKey(store),
        tokens=Tokens(store, ToolKeys(f"{config.tool_url.rstrip('/')}/lti/jwks"), config.profile),
        faults=Faults(),
        roster=Roster(config.world),
    )
    app = Flask(__name__)
    app.secret_key = store.secret("session", lambda: secrets.token_urlsafe(32))
    # On another site than the tool's page, the way back into a frame carries a cookie only if it is `SameSite=None`,
    # which takes `Secure`; on loopback browsers take that for plain http, too.
    in_frames = config.base_url.startswith("https:") or _host(config.base_url) != _host(config.tool_url)
    app.config.update(
        SESSION_COOKIE_NAME="demo_lms",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=in_frames,
        SESSION_COOKIE_SAMESITE="None" if in_frames else "Lax",
        MAX_CONTENT_LENGTH=1_000_000,
    )
    gradebook.begin(parts)
    app.extensions[EXTENSION] = parts
    app.jinja_env.globals.update(say=words.say, language=words.language)
    app.register_blueprint(services.blueprint(parts))
    app.register_blueprint(pages.blueprint(parts))
    app.register_blueprint(launches.blueprint(parts))
    app.register_error_handler(404, _not_found)
    _set_headers(app, config.tool_url)
    return app


def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def registration(app: Flask, slug: str) -> Mapping[str, str]:
    """What an administrator of the tool registers for a district (the names of `platform add`).

    Raises:
        KeyError: there is no such district.
    """
    return cast(Parts, app.extensions[EXTENSION]).registration(slug)


def _not_found(error: HTTPException) -> tuple[str, int]:
    return render_template("refused.html", title="Not found", reason=None), 404


def _set_headers(app: Flask, tool_url: str) -> None:
    parts = urlsplit(tool_url)
    tool = f"{parts.scheme}://{parts.netloc}"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self' {tool};"
        f" form-action 'self' {tool}; base-uri 'none'; frame-ancestors 'self' {tool}"
    )

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
        return response
