"""An OpenID provider for the tests that says things by itself: back-channel logouts, and Google's security events.

It is one provider with two faces: an issuer on loopback, and Google, whose hosts the transport of a test sends here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from flask import Flask, Response, jsonify, make_response, request
from joserfc import jws, jwt
from joserfc.jwk import RSAKey
from requests.adapters import BaseAdapter, HTTPAdapter

from tests.peers.loopback import on_loopback

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
GOOGLE = "https://accounts.google.com"
GOOGLE_HOSTS = ("accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com")


@dataclass
class OpenIdPeer:
    """What the provider knows. `now` is its clock, `given` the access tokens that it gave and has not taken back."""

    client_id: str = "lti-server"
    client_secret: str = "a secret of this client"
    port: int = 0
    google: bool = False
    revokes: bool = True
    out: bool = False
    now: Any = time.time
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}))
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    taken_back: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return GOOGLE if self.google else f"http://localhost:{self.port}"

    def addresses(self) -> dict[str, str]:
        """What the discovery document says."""
        accounts, oauth, keys = (f"https://{host}" for host in GOOGLE_HOSTS) if self.google else (self.issuer,) * 3
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{accounts}/o/oauth2/v2/auth",
            "token_endpoint": f"{oauth}/token", "revocation_endpoint": f"{oauth}/revoke",
            "jwks_uri": f"{keys}/oauth2/v3/certs",
        }  # fmt: skip

    @property
    def security_issuer(self) -> str:
        return f"{GOOGLE}/"

    def knows(self, sub: str, **claims: Any) -> None:
        self.people[sub] = claims

    def back(self, address: str, sub: str, *, sid: str = "") -> str:
        """The address to which the browser is sent after somebody signed in there."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "sub": sub, "sid": sid}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def signed(self, claims: dict[str, Any], *, key: RSAKey | None = None, **header: Any) -> str:
        said = {name: value for name, value in claims.items() if value is not None}
        head = {"alg": "RS256", "kid": "one", **header}
        given = (key or self.key).as_dict(private=True)
        found = RSAKey.import_key({name: value for name, value in given.items() if name not in ("alg", "use")})
        return jws.serialize_compact(
            {name: value for name, value in head.items() if value is not None}, json.dumps(said), found,
            algorithms=[head["alg"]],
        )  # fmt: skip

    def logout_token(self, *, key: RSAKey | None = None, typ: str | None = "logout+jwt", **changed: Any) -> str:
        claims = {
            "iss": self.issuer, "aud": self.client_id, "iat": int(self.now()), "exp": int(self.now()) + 120,
            "jti": secrets.token_hex(8), "events": {LOGOUT: {}}, **changed,
        }  # fmt: skip
        return self.signed(claims, key=key, typ=typ)

    def security_event(
        self, name: str, sub: str | None = None, *, key: RSAKey | None = None, header: dict[str, Any] | None = None,
        event: dict[str, Any] | None = None, **changed: Any,
    ) -> str:  # fmt: skip
        """As Google sends them: no `exp`, the issuer with a slash at its end."""
        subject = {"subject_type": "iss-sub", "iss": self.security_issuer, "sub": sub}
        said = {**({} if sub is None else {"subject": subject}), **(event or {})}
        claims = {
            "iss": self.security_issuer, "aud": self.client_id, "iat": int(self.now()), "jti": secrets.token_hex(8),
            "events": {f"https://schemas.openid.net/secevent/{name}": said}, **changed,
        }  # fmt: skip
        return self.signed(claims, key=key, **(header or {}))


@contextmanager
def running(peer: OpenIdPeer) -> Iterator[OpenIdPeer]:
    """The peer on a loopback port, until the block ends."""
    with on_loopback(_app(peer)) as peer.port:
        yield peer


class Listening(Protocol):
    """A peer on a loopback port."""

    @property
    def port(self) -> int: ...


class ToPeer(HTTPAdapter):
    """Sends what is meant for some hosts, Google's, to a peer, and everything else on as before."""

    def __init__(self, peer: Listening, otherwise: BaseAdapter, hosts: Collection[str] = GOOGLE_HOSTS) -> None:
        super().__init__()
        self._peer = peer
        self._otherwise = otherwise
        self._hosts = hosts

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        if parts.hostname not in self._hosts:
            return self._otherwise.send(request, *args, **more)
        sent = request.copy()
        sent.url = f"http://localhost:{self._peer.port}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        answer = super().send(sent, *args, **more)
        answer.url = str(request.url)
        answer.request = request
        return answer


def _app(peer: OpenIdPeer) -> Flask:
    app = Flask("openid")

    @app.before_request
    def bad_days() -> Response | None:
        return make_response("Service Unavailable", 503) if peer.out else None

    @app.get("/.well-known/openid-configuration")
    @app.get("/organizations/v2.0/.well-known/openid-configuration")
    def discovery() -> Response:
        found = peer.addresses()
        return jsonify({name: value for name, value in found.items() if peer.revokes or name != "revocation_endpoint"})

    @app.get("/.well-known/risc-configuration")
    def risc() -> Response:
        return jsonify({"issuer": peer.security_issuer, "jwks_uri": peer.addresses()["jwks_uri"]})

    @app.get("/oauth2/v3/certs")
    def certs() -> Response:
        return jsonify({"keys": [peer.key.as_dict(private=False)]})

    @app.post("/token")
    def token() -> Response:
        return _token(peer)

    @app.post("/revoke")
    def revoke() -> Response:
        """RFC 7009: what is worthless already is done, too."""
        given = request.form.get("token", "")
        peer.given.pop(given, None)
        peer.taken_back.append(given)
        return make_response("", 200)

    return app


def _token(peer: OpenIdPeer) -> Response:
    asked = peer.codes.pop(request.form.get("code", ""), None)
    if asked is None or asked["redirect_uri"] != request.form.get("redirect_uri"):
        return make_response(jsonify({"error": "invalid_grant"}), 400)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(request.form["code_verifier"].encode()).digest())
    if challenge.rstrip(b"=").decode() != asked["code_challenge"]:
        return make_response(jsonify({"error": "invalid_grant"}), 400)
    sub, now = asked["sub"], int(peer.now())
    claims = {
        "iss": peer.issuer, "aud": peer.client_id, "sub": sub, "iat": now, "exp": now + 3600,
        "nonce": asked["nonce"], **({"sid": asked["sid"]} if asked["sid"] else {}), **peer.people.get(sub, {}),
    }  # fmt: skip
    access = secrets.token_urlsafe(24)
    peer.given[access] = sub
    id_token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, peer.key)
    said = {"access_token": access, "token_type": "Bearer", "expires_in": 3600, "id_token": id_token}
    return jsonify(said)
