"""OpenID Connect for plugins: discovery, and an ID token verified (OpenID Connect Core 1.0, 3.1.3.7; Discovery 1.0).

Keys are chosen by `kid` from the provider's set, the algorithms are a list, and the issuer is compared as text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from lti_server.providers.errors import BrokeContract, RejectedCredentials
from lti_server.providers.spi import Callback, Clock, Transport
from lti_server.providers.wire import host_of

ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "ES384", "RS512", "Ed25519", "EdDSA")
DISCOVERY_S, KEYS_S = 24 * 3600, 24 * 3600
LEEWAY_S = 60
LONGEST_LIFE_S = 24 * 3600
LONGEST_ID_TOKEN = 64 * 1024

FitsIssuer = Callable[[str, Mapping[str, Any]], bool]
"""Whether an ID token's issuer, with its claims, is the one that discovery named."""


class SpoiledToken(BrokeContract):
    """The token itself is not in order; what the provider publishes is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """What a discovery document says, as far as a sign-in needs it; an address that is not said is empty."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    revocation_endpoint: str = ""
    end_session_endpoint: str = ""
    says_issuer: bool = False


def discover(transport: Transport, issuer: str, *, named: str | None = None) -> OpenIdProvider:
    """Read the discovery document of an issuer; `named` is what it must call itself, by default the same.

    Raises:
        BrokeContract: it is none, of another issuer, or lacks an address. RateLimited, Unavailable: as the transport.
    """
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    answer = transport.public_document(url, max_age_s=DISCOVERY_S)
    if answer.status != 200:
        raise BrokeContract(f"{host_of(url)} has no discovery document at the issuer's address ({answer.status}).")
    said = answer.json()
    if not isinstance(said, dict):
        raise BrokeContract(f"The discovery document of {host_of(url)} is no JSON object.")
    if said.get("issuer") != (issuer if named is None else named):
        raise BrokeContract(f"The discovery document of {host_of(url)} is that of another issuer. Check the issuer.")
    addresses = {name: _address(said, name) for name in _ADDRESSES}
    missing = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if not addresses[name]]
    if missing:
        raise BrokeContract(f"The discovery document of {host_of(url)} lacks {', '.join(missing)}.")
    return OpenIdProvider(
        issuer=said["issuer"],
        says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        **addresses,
    )


def check_issuer(provider: OpenIdProvider, callback: Callback) -> None:
    """The callback is of the provider that was asked, where that one says so (RFC 9207, against mix-up).

    Raises:
        RejectedCredentials: it is of another one.
    """
    said = callback.params.get("iss")
    if (said is None and provider.says_issuer) or (said is not None and said != provider.issuer):
        raise RejectedCredentials("The answer to the sign-in came from another provider than the one that was asked.")


def verified(
    transport: Transport,
    clock: Clock,
    provider: OpenIdProvider,
    id_token: str,
    *,
    client_id: str,
    nonce: str,
    access_token: str = "",
    fits: FitsIssuer | None = None,
) -> dict[str, Any]:
    """The claims of an ID token whose signature, issuer, audience, times and nonce are in order.

    Raises:
        BrokeContract: they are not. RateLimited, Unavailable: its keys cannot be read.
    """
    header, claims = signed(transport, provider.jwks_uri, id_token)
    token = CodeIDToken(claims, header, None, {"client_id": client_id, "nonce": nonce, "access_token": access_token})
    now = int(clock.now().timestamp())
    try:
        token.validate(now=now, leeway=LEEWAY_S)
    except (JoseError, TypeError, ValueError) as error:
        raise _spoiled(f"its claims are not in order ({type(error).__name__})") from None
    issuer, audience = claims.get("iss"), claims.get("aud")
    if not isinstance(issuer, str) or not (fits(issuer, claims) if fits else issuer == provider.issuer):
        raise _spoiled("it is of another issuer")
    if audience != client_id and not (isinstance(audience, list) and client_id in audience):
        raise _spoiled("it is for another client")
    if claims["exp"] - claims["iat"] > LONGEST_LIFE_S or claims["iat"] < now - LONGEST_LIFE_S:
        raise _spoiled("it holds for too long, or is too old")
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
        raise _spoiled("its subject is no text of at most 255 characters")
    return dict(claims)


def signed(transport: Transport, jwks_uri: str, id_token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token whose signature fits a published key; an unknown `kid` reads the keys anew.

    Raises:
        SpoiledToken: it does not. BrokeContract: the keys are none. RateLimited, Unavailable: they cannot be read.
    """
    if not id_token or len(id_token) > LONGEST_ID_TOKEN:
        raise _spoiled("there is none, or it is too long")
    for max_age_s in (KEYS_S, 0):
        try:
            return _opened(_keys(transport, jwks_uri, max_age_s), id_token)
        except _UnknownKey:
            continue
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _spoiled("its signature does not fit") from None
    raise _spoiled("it is signed with a key that the provider does not publish")


def _opened(keys: list[Any], id_token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = jws.deserialize_compact(id_token, lambda token: _key(keys, token), algorithms=list(ALGORITHMS))
    return dict(found.headers()), _object(found.payload)


class _UnknownKey(Exception):
    """No published key has the token's `kid`."""


def _key(keys: list[Any], token: Any) -> Any:
    headers = token.headers()
    kid, kind = headers.get("kid"), str(headers.get("alg", ""))[:2]
    kinds = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}.get(kind)
    fitting = [one for one in keys if kinds is not None and isinstance(one, kinds)]
    if kid is not None:
        fitting = [one for one in fitting if one.kid == kid]
    if len(fitting) != 1:  # without a kid, one key alone can be meant
        raise _UnknownKey
    return fitting[0]


def _keys(transport: Transport, jwks_uri: str, max_age_s: int) -> list[Any]:
    said = transport.public_document(jwks_uri, max_age_s=max_age_s).json()
    listed = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BrokeContract(f"{host_of(jwks_uri)} gives no key set.")
    found: list[Any] = []
    for one in listed[:100]:
        if one.get("use", "sig") == "sig" and one.get("kty") in ("RSA", "EC", "OKP"):
            try:
                found += KeySet.import_key_set({"keys": [one]}).keys
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # a key that nobody here can use is not in the way of the others
    return found


def _object(payload: bytes | None) -> dict[str, Any]:
    claims = json.loads(payload or b"")
    if not isinstance(claims, dict):
        raise ValueError("no object")  # noqa: TRY004 - for the caller it is a token that cannot be read
    return claims


_ADDRESSES = (
    "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint",
    "end_session_endpoint",
)  # fmt: skip


def _address(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        return str(value) if parts and parts.scheme in ("https", "http") and parts.hostname else ""
    except ValueError:
        return ""


def _spoiled(why: str) -> SpoiledToken:
    return SpoiledToken(f"The ID token is refused: {why}.")
