"""The plugin keeps the contract of a login provider, and believes no tenant but that of the token's issuer."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_microsoft import CONSUMERS, Microsoft

from lti_server.providers import BrokeContract
from lti_server.testing import Exchange, LoginProviderContract

HOST = "https://login.microsoftonline.com"
TENANT, OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-86f1-41af-91ab-2d7cd011db47"
OBJECT = "00000000-0000-0000-66f3-3332eca7ea81"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
DISCOVERY = {
    "issuer": HOST + "/{tenantid}/v2.0",
    "authorization_endpoint": f"{HOST}/organizations/oauth2/v2.0/authorize",
    "token_endpoint": f"{HOST}/organizations/oauth2/v2.0/token",
    "jwks_uri": f"{HOST}/organizations/discovery/v2.0/keys",
}


def id_token(**changed: Any) -> str:
    at = int(LoginProviderContract.now.timestamp())
    claims = {
        "iss": f"{HOST}/{TENANT}/v2.0", "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "aud": "client-of-ours",
        "iat": at, "exp": at + 3600, "nonce": LoginProviderContract.nonce, "tid": TENANT, "oid": OBJECT,
        "name": "Annabel Lovelace-Byron", "preferred_username": "annabel@district.example",
        "email": "annabel@district.example",
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **changed}, KEY)


def recorded(token: str) -> list[Exchange]:
    return [
        Exchange(url=f"{HOST}/organizations/v2.0/.well-known/openid-configuration", body=DISCOVERY),
        Exchange(
            method="POST",
            url=f"{HOST}/organizations/oauth2/v2.0/token",
            body={"access_token": "token-of-the-recording", "token_type": "Bearer", "id_token": token},
        ),
        Exchange(url=f"{HOST}/organizations/discovery/v2.0/keys", body={"keys": [KEY.as_dict(private=False)]}),
    ]


class TestContract(LoginProviderContract):
    provider = Microsoft
    config: ClassVar[dict[str, object]] = {"client_id": "client-of-ours", "client_secret": "a secret"}
    recording: ClassVar[list[Exchange]] = recorded(id_token())
    does_not_apply: ClassVar[dict[str, str]] = {
        "revoking_twice_is_fine": "Entra names no address at which a token is given back (RFC 7009).",
    }

    def signed_in(self, **claims: Any) -> Any:
        run = self.run(recording=recorded(id_token(**claims)))
        if run.error is not None:
            raise run.error
        return run.identity

    def test_it_is_the_object_within_the_tenant(self) -> None:
        found = self.signed_in(sub="another of another application")
        assert (found.issuer, found.subject, found.tenant) == (f"{HOST}/{TENANT}/v2.0", OBJECT, TENANT)

    @pytest.mark.parametrize(
        "claims",
        [
            {"tid": OTHER},
            {"iss": f"{HOST}/{OTHER}/v2.0"},
            {"iss": HOST + "/{tenantid}/v2.0", "tid": "{tenantid}"},
            {"iss": f"{HOST}/{CONSUMERS}/v2.0", "tid": CONSUMERS},
            {"iss": f"{HOST}/{TENANT}/v2.0/"},
            {"iss": f"https://sts.windows.net/{TENANT}/"},
            {"tid": None},
            {"oid": None},
            {"oid": "annabel@district.example"},
        ],
    )
    def test_a_tenant_that_is_not_that_of_the_issuer_signs_nobody_in(self, claims: dict[str, Any]) -> None:
        with pytest.raises(BrokeContract):
            self.signed_in(**claims)
