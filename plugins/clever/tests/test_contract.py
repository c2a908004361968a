"""The plugin keeps the contracts of a login provider, with and without OpenID Connect, and of a list of tenants."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_clever import Clever

from lti_server.testing import ID_TOKEN_CHECKS, Exchange, LoginProviderContract, TenantListContract
from lti_server.testing.recorded import exchanges

RECORDING = Path(__file__).parent / "recordings" / "sign-in.json"
CONFIG: dict[str, object] = {"client_id": "client-of-clever", "client_secret": "a secret of clever"}
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
DISCOVERY = {
    "issuer": "https://clever.com",
    "authorization_endpoint": "https://clever.com/oauth/authorize",
    "token_endpoint": "https://clever.com/oauth/tokens",
    "jwks_uri": "https://clever.com/oauth/certs",
}
REVOKES_NOTHING = "No token of a person is kept, and Clever documents no way to give one back."
NOT_AT_CLEVER = {
    "the_verifier_goes_with_the_code": "Clever documents no PKCE.",
    "revoking_twice_is_fine": REVOKES_NOTHING,
}


class TestContract(LoginProviderContract):
    provider = Clever
    config: ClassVar[dict[str, object]] = CONFIG
    recording = RECORDING
    does_not_apply: ClassVar[dict[str, str]] = {
        **dict.fromkeys(ID_TOKEN_CHECKS, "Without `openid` Clever gives no ID token: see the class below."),
        **NOT_AT_CLEVER,
    }


def id_token(**changed: Any) -> str:
    at = int(LoginProviderContract.now.timestamp())
    claims = {
        "iss": "https://clever.com", "sub": "5f1a7c0000000000000000a1", "aud": "client-of-clever", "iat": at,
        "exp": at + 3600, "nonce": LoginProviderContract.nonce, "district": "5f1a7c0000000000000000d1",
        "user_id": "5f1a7c0000000000000000f1", "user_type": "student", "email_verified": False,
        "multi_role_user_id": "5f1a7c0000000000000000a1",
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **changed}, KEY)


def with_openid(token: str) -> list[Exchange]:
    """The same sign-in, with an ID token beside the other one."""
    tokens, *others = exchanges(RECORDING)
    assert isinstance(tokens.body, dict)
    return [
        Exchange(method="POST", url=tokens.url, form=tokens.form, body={**tokens.body, "id_token": token}),
        *others,
        Exchange(url="https://clever.com/.well-known/openid-configuration", body=DISCOVERY),
        Exchange(url="https://clever.com/oauth/certs", body={"keys": [KEY.as_dict(private=False)]}),
    ]


class TestContractWithOpenIdConnect(LoginProviderContract):
    provider = Clever
    config: ClassVar[dict[str, object]] = {**CONFIG, "openid": True}
    recording: ClassVar[list[Exchange]] = with_openid(id_token())
    does_not_apply: ClassVar[dict[str, str]] = NOT_AT_CLEVER


class TestContractOfItsTenants(TenantListContract):
    provider = Clever
    config: ClassVar[dict[str, object]] = CONFIG
    recording = Path(__file__).parent / "recordings" / "tenants.json"
    does_not_apply: ClassVar[dict[str, str]] = {"revoking_twice_is_fine": REVOKES_NOTHING}
