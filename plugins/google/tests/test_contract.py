"""The plugin keeps the contract of a login provider, and lets nobody in by a domain that Google does not vouch for."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_google import Google
from lti_server_google.mapping import person, tenant

from lti_server.providers import BrokeContract
from lti_server.testing import Exchange, LoginProviderContract

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
DISCOVERY = {
    "issuer": "https://accounts.google.com",
    "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
    "token_endpoint": "https://oauth2.googleapis.com/token",
    "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
    "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
}


def id_token(**changed: Any) -> str:
    at = int(LoginProviderContract.now.timestamp())
    claims = {
        "iss": "https://accounts.google.com", "sub": "110169484474386276334", "aud": "a.apps.example", "iat": at,
        "exp": at + 3600, "nonce": LoginProviderContract.nonce, "hd": "district.example", "given_name": "Annabel",
        "family_name": "Lovelace-Byron", "email": "annabel@district.example", "email_verified": True,
        "picture": "https://lh3.example/annabel",
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **changed}, KEY)


def recorded(token: str) -> list[Exchange]:
    return [
        Exchange(url="https://accounts.google.com/.well-known/openid-configuration", body=DISCOVERY),
        Exchange(
            method="POST",
            url="https://oauth2.googleapis.com/token",
            body={"access_token": "token-of-the-recording", "token_type": "Bearer", "id_token": token},
        ),
        Exchange(url="https://www.googleapis.com/oauth2/v3/certs", body={"keys": [KEY.as_dict(private=False)]}),
        Exchange(method="POST", url="https://oauth2.googleapis.com/revoke", body=""),
    ]


class TestContract(LoginProviderContract):
    provider = Google
    config: ClassVar[dict[str, object]] = {"client_id": "a.apps.example", "client_secret": "a secret"}
    recording: ClassVar[list[Exchange]] = recorded(id_token())

    def signed_in(self, **claims: Any) -> Any:
        run = self.run(recording=recorded(id_token(**claims)))
        if run.error is not None:
            raise run.error
        return run.identity

    @pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
    def test_both_spellings_of_the_issuer_are_one_issuer(self, issuer: str) -> None:
        assert self.signed_in(iss=issuer).issuer == "https://accounts.google.com"

    @pytest.mark.parametrize("issuer", ["https://accounts.google.com/", "https://accounts.google.com.evil.example"])
    def test_no_other_spelling_is(self, issuer: str) -> None:
        with pytest.raises(BrokeContract):
            self.signed_in(iss=issuer)

    def test_an_account_without_a_domain_has_no_tenant_whatever_its_e_mail_says(self) -> None:
        assert self.signed_in(hd=None, email="someone@district.example").tenant == ""


def test_the_domain_is_compared_in_lower_case_and_is_a_text() -> None:
    assert tenant({"hd": "District.Example"}) == "district.example"
    assert tenant({"hd": ["district.example"]}) == ""


def test_a_picture_is_not_looked_at() -> None:
    assert "lh3.example" not in str(person({"sub": "1", "picture": "https://lh3.example/1"}).present())
