"""The plugin keeps the contract of a login provider, on a recording that is signed as a provider signs."""

from __future__ import annotations

from typing import Any, ClassVar

from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_oidc import OpenIdConnect

from lti_server.testing import Exchange, LoginProviderContract

ISSUER = "https://id.district.example"
CONFIG: dict[str, object] = {"issuer": ISSUER, "client_id": "lti-server", "client_secret": "a secret"}
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
DISCOVERY = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "revocation_endpoint": f"{ISSUER}/revoke",
}


def id_token(**changed: Any) -> str:
    at = int(LoginProviderContract.now.timestamp())
    claims = {
        "iss": ISSUER, "sub": "248289761001", "aud": "lti-server", "iat": at, "exp": at + 3600,
        "nonce": LoginProviderContract.nonce, "given_name": "Annabel", "family_name": "Lovelace-Byron",
        "email": "annabel@district.example", "email_verified": True, "birthdate": "2014-05-06",
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **changed}, KEY)


def recording(token: str) -> list[Exchange]:
    return [
        Exchange(url=f"{ISSUER}/.well-known/openid-configuration", body=DISCOVERY),
        Exchange(
            method="POST",
            url=f"{ISSUER}/token",
            form={
                "grant_type": "authorization_code",
                "code": "code-of-the-recording",
                "redirect_uri": LoginProviderContract.redirect_uri,
                "code_verifier": LoginProviderContract.code_verifier,
            },
            body={"access_token": "token-of-the-recording", "token_type": "Bearer", "id_token": token},
        ),
        Exchange(url=f"{ISSUER}/keys", body={"keys": [KEY.as_dict(private=False)]}),
        Exchange(method="POST", url=f"{ISSUER}/revoke", body=""),
    ]


class TestContract(LoginProviderContract):
    provider = OpenIdConnect
    config: ClassVar[dict[str, object]] = CONFIG
    recording: ClassVar[list[Exchange]] = recording(id_token())
