"""Whether an id_token was signed by a key of the platform (IMS Security Framework 1.0, 5.1.2 and 5.1.3)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NewType

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from lti_server.errors import LaunchRejected

ALGORITHMS = ("RS256",)
_RS256 = JWSRegistry.algorithms["RS256"]
LONGEST_TOKEN = 64 * 1024
LOWEST_KEY_BITS = 2048

UnverifiedClaims = NewType("UnverifiedClaims", dict[str, Any])
VerifiedClaims = NewType("VerifiedClaims", dict[str, Any])
"""Claims whose signature, times and audience were checked: another type, so that others cannot be used by mistake."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token in JWS compact form, read but not yet believed."""

    text: str
    kid: str
    claims: UnverifiedClaims


def read(text: str) -> Token:
    """Take a token apart; refuse what is not a JWT signed by an allowed algorithm with a named key.

    Raises:
        LaunchRejected: `not-a-jwt`, `algorithm`, `kid-missing`, `token-too-large`.
    """
    if len(text) > LONGEST_TOKEN:
        raise LaunchRejected("token-too-large", "The LMS sent more than a launch may hold.")
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):
        raise _not_a_jwt()
    header, claims = _object(parts[0]), _object(parts[1])
    if header.get("alg") not in ALGORITHMS or "crit" in header:
        raise LaunchRejected("algorithm", "The LMS signed the launch in a way that is not allowed (RS256 is).")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid or len(kid) > 255:
        raise LaunchRejected("kid-missing", "The launch does not say with which key the LMS signed it (kid).")
    return Token(text, kid, UnverifiedClaims(claims))


def verify(token: Token, keys: Mapping[str, RSAKey]) -> None:
    """Check the signature with the platform's key of that name.

    Raises:
        LaunchRejected: `signature`.
    """
    signed, _, signature = token.text.rpartition(".")
    try:
        # `read` took header and claims apart already: what is left of RFC 7515, 5.2, is the signature itself.
        stands = _RS256.verify(signed.encode("ascii"), _decoded(signature), keys[token.kid])
    except (JoseError, ValueError):
        stands = False
    if not stands:
        raise LaunchRejected(
            "signature", "The launch was not signed by the LMS that it names, or was changed on its way."
        )


def signing_keys(jwks: Mapping[str, Any]) -> dict[str, RSAKey]:
    """The keys of a JWK set that may sign a launch, by kid; others (encryption, weak, malformed) are passed over."""
    found: dict[str, RSAKey] = {}
    keys = jwks.get("keys")
    for jwk in keys if isinstance(keys, Sequence) and not isinstance(keys, str) else ():
        if not isinstance(jwk, Mapping) or jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        if not isinstance(kid, str) or jwk.get("alg", "RS256") not in ALGORITHMS:
            continue
        try:
            if _bits(jwk["n"]) >= LOWEST_KEY_BITS:
                found[kid] = RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found


def _bits(modulus: str) -> int:
    """The length of a key, from its modulus in base64url."""
    return int.from_bytes(_decoded(modulus), "big").bit_length()


def _decoded(part: str) -> bytes:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _object(part: str) -> dict[str, Any]:
    """One JSON object in base64url, with no key twice and no number that JSON does not have."""
    try:
        found = strict_json(_decoded(part))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _not_a_jwt() from error
    if not isinstance(found, dict):
        raise _not_a_jwt()
    return found


def strict_json(raw: bytes) -> object:
    """JSON in UTF-8 with no key twice and no number that JSON does not have.

    Raises:
        ValueError, RecursionError: it is none.
    """
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _not_a_jwt() -> LaunchRejected:
    return LaunchRejected("not-a-jwt", "What the LMS sent is not a launch (no readable id_token).")
