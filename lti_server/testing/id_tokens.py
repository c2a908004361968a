"""ID tokens of a recording made anew: changed, forged, or as they were, and signed by a key of the kit's own.

The kit puts its key in the place of the recorded one, in the recorded key set, so that nobody's private key is needed.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from lti_server.providers.wire import Response
from lti_server.testing.recorded import Alter, Recording, exchanges

Claims = dict[str, Any]
Change = Callable[[Any], Any]
CURVES: Final[Mapping[str, str]] = {"ES256": "P-256", "ES384": "P-384"}


class IdTokens:
    """The ID tokens of one recording. `found` is false where it has none: a provider of OAuth 2 alone."""

    def __init__(self, recording: Recording) -> None:
        bodies = [one.body for one in exchanges(recording) if isinstance(one.body, dict)]
        tokens = [body["id_token"] for body in bodies if isinstance(body.get("id_token"), str)]
        self.header, self.claims = _read(tokens[0]) if tokens else ({}, {})
        self.found = bool(self.claims)

    @property
    def algorithm(self) -> str:
        return str(self.header.get("alg", "RS256"))

    def signed(self, claims: Claims, *, key: Any = None) -> str:
        """A token with these claims, signed by the kit's key or another one under the same name."""
        return jws.serialize_compact(
            self.header, json.dumps(claims), key or _key(self.algorithm), algorithms=[self.algorithm]
        )

    def unsigned(self, algorithm: str, signature: bytes = b"") -> str:
        """The recorded claims under a header that names `algorithm`, with any signature (RFC 8725 2.1)."""
        return f"{self._text(algorithm)}.{_encoded(signature)}"

    def with_the_public_key(self, public: bytes) -> str:
        """HS256 with the public key as the secret, which everybody has."""
        text = self._text("HS256")
        return f"{text}.{_encoded(hmac.digest(public, text.encode(), 'sha256'))}"

    def forgeries(self) -> dict[str, str]:
        """Tokens of which the signature is not the provider's, by what they are."""
        key = _key(self.algorithm)
        head, _, signature = self.signed(self.claims).split(".")
        other = _encoded(json.dumps({**self.claims, "email_verified": True, "kit": "changed"}).encode())
        found = {
            "no signature (alg none)": self.unsigned("none"),
            "no signature (alg NONE)": self.unsigned("NONE"),
            "an empty signature": self.unsigned(self.algorithm),
            "the signature of other claims": f"{head}.{other}.{signature}",
            "a stranger's key under the provider's name": self.signed(self.claims, key=_key(self.algorithm, "theirs")),
            "a secret that everybody knows": self.with_the_public_key(
                json.dumps(key.as_dict(private=False), separators=(",", ":")).encode()
            ),
        }
        if hasattr(key, "as_pem"):
            found["the public key as a secret"] = self.with_the_public_key(key.as_pem(private=False))
        return found

    def replaced_by(self, token: str) -> Alter:
        """Every answer with an ID token has this one instead, and the key set has the kit's key."""
        return self._altered(lambda body: body, token)

    def claimed(self, claims: Claims) -> Alter:
        return self.replaced_by(self.signed(claims))

    def everywhere(self, change: Change) -> Alter:
        """A change of JSON answers and of the claims in ID tokens alike."""
        token = self.signed(change(self.claims)) if self.found else ""
        return self._altered(change, token)

    def _altered(self, change: Change, token: str) -> Alter:
        def alter(_ordinal: int, response: Response) -> Response:
            try:
                read = json.loads(response.body)
            except ValueError:
                return response
            if self.found and isinstance(read, dict) and isinstance(read.get("keys"), list):
                said: object = {"keys": [self._public()]}
            else:
                said = change(read)
                if isinstance(read, dict) and "id_token" in read and isinstance(said, dict):
                    said = {**said, "id_token": token}
            return dataclasses.replace(response, body=json.dumps(said).encode())

        return alter

    def _public(self) -> dict[str, Any]:
        named = {"kid": self.header["kid"]} if "kid" in self.header else {}
        return {**_key(self.algorithm).as_dict(private=False), "use": "sig", "alg": self.algorithm, **named}

    def _text(self, algorithm: str) -> str:
        parts = ({**self.header, "alg": algorithm}, self.claims)
        return ".".join(_encoded(json.dumps(part).encode()) for part in parts)


@functools.cache
def _key(algorithm: str, whose: str = "the kit's") -> Any:
    """Made once for all checks; `whose` tells one key from another of the same kind."""
    assert whose
    if algorithm in CURVES:
        return ECKey.generate_key(CURVES[algorithm])
    return OKPKey.generate_key("Ed25519") if algorithm.startswith("Ed") else RSAKey.generate_key(2048)


def _read(token: str) -> tuple[Claims, Claims]:
    """Header and claims, believed as they are: it is the author's own recording."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}, {}
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    return header, claims


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
