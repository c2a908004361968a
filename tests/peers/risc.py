"""Google's RISC service for the tests: a project's stream, who may set it, and what it would send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, make_response, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.peers.loopback import on_loopback

AUDIENCE = "https://risc.googleapis.com/google.identity.risc.v1beta.RiscManagementService"
ADMIN = "risc@project.iam.gserviceaccount.example"


@dataclass
class RiscService:
    """`accounts` are the service accounts that may set the stream, by e-mail, with their public keys by id.

    `sent` is what `stream:verify` has it send: to which address, and with which state.
    """

    now: Any
    port: int = 0
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))
    accounts: dict[str, dict[str, RSAKey]] = field(default_factory=dict)
    stream: dict[str, Any] | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts.setdefault(ADMIN, {"key-1": self.key})

    def key_file(self, **changed: object) -> dict[str, object]:
        """As the Cloud console hands it out."""
        pem = self.key.as_pem(private=True).decode()
        made = {"type": "service_account", "client_email": ADMIN, "private_key_id": "key-1", "private_key": pem}
        return {**made, **changed}

    def may(self) -> bool:
        """Whether the bearer is a token of an account that may, for this service and for an hour at most."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.tokens.append(token)
        for email, keys in self.accounts.items():
            for key in keys.values():
                try:
                    said = jwt.decode(token, key, algorithms=["RS256"])
                except (JoseError, ValueError):
                    continue
                claims, now = said.claims, self.now()
                return bool(
                    claims["iss"] == claims["sub"] == email
                    and claims["aud"] == AUDIENCE
                    and said.header["kid"] in keys
                    and claims["iat"] - 300 <= now < claims["exp"] <= claims["iat"] + 3600
                )
        return False


@contextmanager
def running(peer: RiscService) -> Iterator[RiscService]:
    """The service on a loopback port, until the block ends."""
    with on_loopback(_app(peer)) as peer.port:
        yield peer


def _app(peer: RiscService) -> Flask:
    app = Flask("risc")

    @app.before_request
    def allowed() -> Response | None:
        denied = jsonify({"error": {"code": 403, "status": "PERMISSION_DENIED"}})
        return None if peer.may() else make_response(denied, 403)

    @app.post("/v1beta/stream:update")
    def update() -> Response:
        said = request.get_json()
        if set(said) != {"delivery", "events_requested"} or set(said["delivery"]) != {"delivery_method", "url"}:
            return make_response(jsonify({"error": {"code": 400}}), 400)
        peer.stream = {**said, "status": "enabled"}
        return jsonify({})

    @app.get("/v1beta/stream")
    def stream() -> Response:
        return make_response(jsonify({"error": {"code": 404}}), 404) if peer.stream is None else jsonify(peer.stream)

    @app.post("/v1beta/stream:verify")
    def verify() -> Response:
        if peer.stream is None:
            return make_response(jsonify({"error": {"code": 404}}), 404)
        peer.sent.append((peer.stream["delivery"]["url"], request.get_json()["state"]))
        return jsonify({})

    return app
