"""Checks of the sign-in contract: ID tokens that are not for this sign-in, client, time or from this provider.

A provider whose recording has no ID token says so in `does_not_apply`, with `ID_TOKEN_CHECKS`.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from lti_server.testing.applying import only_where
from lti_server.testing.contract import Run
from lti_server.testing.id_tokens import Claims
from lti_server.testing.signing_in import SigningIn

HOUR, DAY = 3_600, 86_400
ID_TOKEN_CHECKS: Final = (
    "a_forged_id_token_is_refused",
    "an_id_token_for_others_is_refused",
    "an_id_token_of_another_time_is_refused",
    "an_id_token_of_another_sign_in_is_refused",
    "the_nonce_goes_to_the_provider",
)
"""What is asked where the recording has an ID token, and of no provider of OAuth 2 alone."""

with_id_token = only_where(lambda self: self.id_tokens.found, "the recording has no ID token")


class IdTokenChecks(SigningIn):
    """OpenID Connect Core 1.0, 3.1.3.7, step by step, and RFC 8725."""

    @with_id_token
    def test_a_forged_id_token_is_refused(self) -> None:
        """Unsigned, signed by a stranger, changed after signing, or signed with what everybody knows."""
        tokens = self.id_tokens
        for what, token in tokens.forgeries().items():
            self.nobody(self.run(tokens.replaced_by(token)), f"an ID token with {what}")

    @with_id_token
    def test_an_id_token_for_others_is_refused(self) -> None:
        """Of another issuer, or for another client, however well it is signed."""
        claims = self.id_tokens.claims
        issuer = str(claims.get("iss"))
        changes: dict[str, Claims] = {
            "an ID token of another issuer": {**claims, "iss": "https://elsewhere.example"},
            "an ID token of the issuer with a slash more": {**claims, "iss": issuer + "/"},
            "an ID token of the issuer as a list": {**claims, "iss": [issuer]},
            "an ID token without an issuer": _without(claims, "iss"),
            "an ID token for another client": {**claims, "aud": "another-client"},
            "an ID token for a list of others": {**claims, "aud": ["another-client"]},
            "an ID token for nobody": _without(claims, "aud"),
        }
        self._refused(changes)

    @with_id_token
    def test_an_id_token_of_another_time_is_refused(self) -> None:
        """Expired, from the future, without an end, or with times that are none."""
        claims, now = self.id_tokens.claims, int(self.now.timestamp())
        changes: dict[str, Claims] = {
            "an expired ID token": {**claims, "iat": now - 2 * HOUR, "exp": now - HOUR},
            "an ID token from the future": {**claims, "iat": now + HOUR, "exp": now + 2 * HOUR},
            "an ID token that does not hold yet": {**claims, "nbf": now + HOUR},
            "an ID token without an end": _without(claims, "exp"),
            "an ID token whose end is a text": {**claims, "exp": "tomorrow"},
        }
        self._refused(changes)

    @with_id_token
    def test_an_id_token_of_another_sign_in_is_refused(self) -> None:
        """Without the nonce, or with that of another browser."""
        claims = self.id_tokens.claims
        changes: dict[str, Claims] = {
            "an ID token without a nonce": _without(claims, "nonce"),
            "an ID token with an empty nonce": {**claims, "nonce": ""},
            "an ID token with the nonce of another sign-in": {**claims, "nonce": "another-nonce"},
            "an ID token whose nonce is a list": {**claims, "nonce": [self.nonce]},
        }
        self._refused(changes)
        another = self.run(use=self._in_another_browser)
        self.nobody(another, "an ID token that is brought to another browser")

    @with_id_token
    def test_the_nonce_goes_to_the_provider(self) -> None:
        """As it was given: a provider can put nothing else into the token."""
        asked = parse_qs(urlsplit(self.address()).query)
        assert asked.get("nonce") == [self.nonce], "the address does not carry the nonce"

    def _refused(self, changes: dict[str, Claims]) -> None:
        for what, run in self.claiming(changes):
            self.nobody(run, what)

    def _in_another_browser(self, plugin: Any, run: Run) -> None:
        self.come(plugin, run, nonce="nonce-of-another-browser")


def _without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}
