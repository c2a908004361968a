"""Facebook as far as this server speaks to it: accounts, permissions, and switches for bad days."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, jsonify, make_response, redirect, request

from tests.peers.loopback import TwoHosts, on_loopback

VERSION = "v26.0"


@dataclass
class Facebook(TwoHosts):
    """`accounts` by the id that the application knows; `permissions` is what each of them has granted.

    Switches: `out`, `throttled`, `declines` (permissions that nobody grants), `speaks_of` (the application that every
    token is said to be of), `token_says` (more of a token), `talkative` (it tells what it was not asked for).
    """

    client_id: str = "1234567890"
    client_secret: str = "a secret of facebook"
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    permissions: dict[str, set[str]] = field(default_factory=dict)
    out: bool = False
    throttled: bool = False
    declines: frozenset[str] = frozenset()
    speaks_of: str = ""
    talkative: bool = False
    token_says: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    _codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def signed_request(self, user_id: str, at: float, *, secret: str = "", **changed: Any) -> str:
        """As the callbacks of deauthorisation and of data deletion have it."""
        said = {"algorithm": "HMAC-SHA256", "issued_at": int(at), "user_id": user_id, **changed}
        payload = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=")
        signature = hmac.digest((secret or self.client_secret).encode(), payload, "sha256")
        return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{payload.decode()}"

    def knows(self, user_id: str, **changes: object) -> None:
        self.accounts[user_id] = {"id": user_id, "name": "Grace Hopper", "email": "grace@example.com", **changes}

    def back(self, address: str, user_id: str) -> str:
        """Where the browser of somebody with a session there is sent."""
        answer = requests.get(address, cookies={"session": user_id}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


@contextmanager
def running(facebook: Facebook) -> Iterator[Facebook]:
    """The peer on a loopback port, until the block ends."""
    with on_loopback(_app(facebook)) as facebook.port:
        yield facebook


def _app(facebook: Facebook) -> Flask:
    app = Flask("facebook")

    @app.before_request
    def bad_days() -> Response | None:
        facebook.asked.append((request.method, request.path))
        if facebook.out:
            return _error(2, "An unexpected error has occurred. Please retry your request later.", 503)
        return _error(4, "Application request limit reached") if facebook.throttled else None

    _sign_in(app, facebook)
    _graph(app, facebook)
    return app


def _sign_in(app: Flask, facebook: Facebook) -> None:
    @app.get(f"/{VERSION}/dialog/oauth")
    def dialog() -> Any:
        asked, user_id = request.args, request.cookies.get("session", "")
        if asked.get("client_id") != facebook.client_id or asked.get("redirect_uri") not in facebook.redirect_uris:
            return make_response("<!DOCTYPE html><title>Invalid request</title>", 400)
        given = {"state": asked.get("state", "")}
        if user_id not in facebook.accounts:
            given |= {"error": "access_denied", "error_code": "200", "error_reason": "user_denied"}
        else:
            facebook.permissions[user_id] = set(asked.get("scope", "").split(",")) - facebook.declines
            given["code"] = secrets.token_hex(20)
            facebook._codes[given["code"]] = (user_id, asked["redirect_uri"])
        return redirect(f"{asked['redirect_uri']}?{urlencode(given)}", 302)

    @app.route(f"/{VERSION}/oauth/access_token", methods=["GET", "POST"])
    def access_token() -> Response:
        said = request.values
        if said.get("client_id") != facebook.client_id:
            return _error(101, "Error validating application.")
        if said.get("client_secret") != facebook.client_secret:
            return _error(1, "Error validating client secret.")
        user_id, redirect_uri = facebook._codes.pop(said.get("code", ""), ("", ""))
        if not user_id or said.get("redirect_uri") != redirect_uri:
            return _error(100, "This authorization code has been used.", subcode=36009)
        token = f"EAA{secrets.token_hex(20)}"
        facebook.tokens[token] = user_id
        given = {"access_token": token, "token_type": "bearer", "expires_in": 5_183_944}
        return jsonify({**given, **facebook.token_says})


def _graph(app: Flask, facebook: Facebook) -> None:
    def owner() -> str:
        """Whose token a request has, with the proof of the secret."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        proof = hmac.new(facebook.client_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        return facebook.tokens.get(token, "") if request.args.get("appsecret_proof") == proof else ""

    @app.get(f"/{VERSION}/debug_token")
    def debug_token() -> Response:
        if request.headers.get("Authorization") != f"Bearer {facebook.client_id}|{facebook.client_secret}":
            return _error(190, "Invalid OAuth access token signature.")
        user_id = facebook.tokens.get(request.args.get("input_token", ""), "")
        data = {"app_id": facebook.speaks_of or facebook.client_id, "type": "USER", "is_valid": bool(user_id)}
        if user_id:
            data |= {"user_id": user_id, "scopes": sorted(facebook.permissions[user_id]), "issued_at": 1_790_000_000}
        return jsonify({"data": data})

    @app.get(f"/{VERSION}/me")
    def me() -> Response:
        found = facebook.accounts.get(owner())
        if found is None:
            return _error(190, "Invalid OAuth access token.", subcode=467)
        granted = facebook.permissions[found["id"]]
        wanted = [one for one in request.args.get("fields", "id").split(",") if one != "email" or "email" in granted]
        return jsonify({name: found[name] for name in (found if facebook.talkative else wanted) if name in found})

    @app.delete(f"/{VERSION}/me/permissions")
    def leave() -> Response:
        user_id = owner()
        if not user_id:
            return _error(190, "Invalid OAuth access token.", subcode=458)
        facebook.permissions.pop(user_id, None)
        facebook.tokens = {token: one for token, one in facebook.tokens.items() if one != user_id}
        return jsonify({"success": True})


def _error(code: int, message: str, status: int = 400, *, subcode: int = 0) -> Response:
    said: dict[str, object] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Aabc"}
    if subcode:
        said["error_subcode"] = subcode
    return make_response(jsonify({"error": said}), status)
