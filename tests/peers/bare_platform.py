"""A bare LTI platform: it signs whatever it is told to, and serves its keys on loopback."""

from __future__ import annotations

import base64
import json
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
_KEYS: dict[str, RSAKey] = {}


def rsa_key(name: str, bits: int = 2048) -> RSAKey:
    """One key a name for the whole test run: making them is slow."""
    if name not in _KEYS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joserfc warns of the short keys that the tests want
            _KEYS[name] = RSAKey.generate_key(bits, private=True)
    return _KEYS[name]


@dataclass
class Platform:
    """An LMS with one client and the keys that it publishes now, by kid."""

    issuer: str = "https://lms.example"
    client_id: str = "client-1"
    deployment_id: str = "deployment-1"
    keys: dict[str, RSAKey] = field(default_factory=lambda: {"key-1": rsa_key("key-1")})
    fetches: int = 0
    broken: bool = False
    address: str = ""

    @property
    def jwks_url(self) -> str:
        return f"{self.address}/jwks"

    def jwks(self) -> dict[str, Any]:
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": kid, "alg": "RS256", "use": "sig"}
                for kid, key in self.keys.items()
            ]
        }

    def claims(self, nonce: str, now: datetime, /, **changes: Any) -> dict[str, Any]:
        """What a good launch of a pupil says; `changes` replace claims, None takes one away."""
        issued = int(now.timestamp())
        found: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "pupil-1",
            "iat": issued,
            "exp": issued + 300,
            "nonce": nonce,
            LTI + "message_type": "LtiResourceLinkRequest",
            LTI + "version": "1.3.0",
            LTI + "deployment_id": self.deployment_id,
            LTI + "target_link_uri": "http://127.0.0.1:8000/lti/launch",
            LTI + "resource_link": {"id": "link-1", "title": "A lesson"},
            LTI + "roles": [MEMBERSHIP + "Learner"],
            LTI + "context": {"id": "course-1", "title": "Class 5b", "type": ["CourseSection"]},
            LTI + "custom": {"lesson_id": "message-in-bits"},
            "name": "Amina Example",
            "given_name": "Amina",
            "family_name": "Example",
            "email": "amina@school.example",
        }
        found.update({_claim(name): value for name, value in changes.items()})
        return {name: value for name, value in found.items() if value is not None}

    def sign(self, claims: Any, *, kid: str = "key-1", header: Mapping[str, Any] | None = None) -> str:
        """A token as this platform would send it. `header` replaces members; None takes one away."""
        head = {"alg": "RS256", "kid": kid, "typ": "JWT", **(header or {})}
        members = {name: value for name, value in head.items() if value is not None}
        signed = f"{part(members)}.{part(claims)}"
        private = rsa_key(kid).private_key
        assert private is not None
        return f"{signed}.{part(private.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _claim(name: str) -> str:
    """`lti_roles` is the LTI claim `roles`; other names stand as they are."""
    return LTI + name.removeprefix("lti_") if name.startswith("lti_") else name


def part(value: Any) -> str:
    """One part of a JWT, unsigned."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextmanager
def serving(platform: Platform) -> Iterator[Platform]:
    """The platform's key set on a loopback port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            platform.fetches += 1
            body = b"gone" if platform.broken else json.dumps(platform.jwks()).encode()
            self.send_response(500 if platform.broken else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # whoever asked may not have waited
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the tests speak for it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    platform.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
