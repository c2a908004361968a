"""A platform that lets tools register themselves, with the ways in which real ones differ; on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.serving import make_server

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


def configuration(address: str, **changes: Any) -> dict[str, Any]:
    """What a platform at `address` says of itself; `changes` replace members, None takes one away."""
    found: dict[str, Any] = {
        "issuer": address,
        "authorization_endpoint": f"{address}/auth",
        "token_endpoint": f"{address}/token",
        "jwks_uri": f"{address}/jwks",
        "registration_endpoint": f"{address}/register",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "response_types_supported": ["id_token"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", AGS + "lineitem", AGS + "score", AGS + "result.readonly", NRPS],
        "claims_supported": ["iss", "sub", "name", "given_name", "family_name", "email"],
        PLATFORM: {
            "product_family_code": "moodle",
            "version": "4.5",
            "messages_supported": [
                {"type": "LtiResourceLinkRequest"},
                {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea", "RichTextEditor"]},
            ],
            "variables": ["ResourceLink.title"],
        },
    }
    found.update(changes)
    return {name: value for name, value in found.items() if value is not None}


@dataclass
class RegisteringPlatform:
    """Its behaviour, and what it was asked.

    `token` is what it demands (None: nothing, as Brightspace). By route: `broken` answers with garbage or a status
    instead, `redirects` leads elsewhere, `waits` holds the answer back. `entries` are the registrations that it took,
    `bearers` the credentials that it saw.
    """

    token: str | None = "registration-token-1"
    deployment_id: object = "1"
    client_ids: list[str] = field(default_factory=lambda: [f"client-{number}" for number in range(1, 50)])
    changes: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    bearers: list[tuple[str, str | None]] = field(default_factory=list)
    waits: dict[str, threading.Event] = field(default_factory=dict)
    asked: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    @property
    def configuration_url(self) -> str:
        return f"{self.address}/openid-configuration"

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://")

    @property
    def link(self) -> dict[str, str]:
        """What it appends to a tool's link."""
        token = {} if self.token is None else {"registration_token": self.token}
        return {"openid_configuration": self.configuration_url, **token}

    def supports(self, **said: Any) -> None:
        """Let it say so of itself as an LTI platform, beside what it says anyway."""
        self.changes[PLATFORM] = {**configuration(self.address)[PLATFORM], **said}

    def take(self, body: dict[str, Any]) -> dict[str, Any]:
        self.entries.append(body)
        answer = {**body, "client_id": self.client_ids.pop(0), **self.answers}
        own = {**body[TOOL]} if self.deployment_id is None else {**body[TOOL], "deployment_id": self.deployment_id}
        return {TOOL: own, **answer} if TOOL in self.answers else {**answer, TOOL: own}


def _application(platform: RegisteringPlatform) -> Flask:
    app = Flask(__name__)

    @app.before_request
    def gate() -> Any:
        route = request.path.strip("/")
        platform.bearers.append((route, request.headers.get("Authorization")))
        if route in platform.waits:
            platform.asked.set()
            assert platform.waits[route].wait(10)
        if route in platform.redirects:
            return redirect(platform.redirects[route], 307)
        if route in platform.broken:
            status, body = platform.broken[route]
            return Response(body, status, mimetype="application/json")
        if platform.token is not None and request.headers.get("Authorization") != f"Bearer {platform.token}":
            return Response("{}", 401, mimetype="application/json")
        return None

    @app.get("/openid-configuration")
    def openid_configuration() -> Response:
        return jsonify(configuration(platform.address, **platform.changes))

    @app.post("/register")
    def register() -> Any:
        return jsonify(platform.take(request.get_json())), 201

    return app


@contextmanager
def serving(platform: RegisteringPlatform) -> Iterator[RegisteringPlatform]:
    """The platform on a loopback port, until the block ends."""
    server = make_server("127.0.0.1", 0, _application(platform), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    platform.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
