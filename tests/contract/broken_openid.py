"""For each check that looks at an ID token, a nonce or PKCE, plugins that break that promise and keep every other."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from lti_server.providers import AuthorizeRequest, BrokeContract, Callback
from lti_server.providers.oauth import Tokens
from lti_server.providers.oidc import OpenIdProvider, SpoiledToken, verified
from lti_server.testing import FakeClock
from tests.contract.breakers import Breakers
from tests.contract.chalk_openid import ISSUER, ChalkOpenId

BREAKERS = Breakers()
breaks = BREAKERS.by


def part(token: str, number: int) -> Any:
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def algorithm(token: str) -> str:
    return str(part(token, 0)["alg"])


class _Forgiving(ChalkOpenId):
    """Goes on with some tokens that are refused for their signature."""

    def claims(self, provider: OpenIdProvider, tokens: Tokens, callback: Callback) -> Mapping[str, Any]:
        try:
            return super().claims(provider, tokens, callback)
        except SpoiledToken:
            if self.forgives(tokens.id_token):
                found: Mapping[str, Any] = part(tokens.id_token, 1)
                return found
            raise

    def forgives(self, token: str) -> bool:
        return not token

    def keys(self) -> list[dict[str, Any]]:
        found: Any = self.transport.public_document(f"{ISSUER}/keys").json()
        keys: list[dict[str, Any]] = found["keys"]
        return keys


@breaks("a_forged_id_token_is_refused")
class TakesATokenWithoutSignature(_Forgiving):
    def forgives(self, token: str) -> bool:
        return algorithm(token) == "none"


@breaks("a_forged_id_token_is_refused")
class LooksAtTheAlgorithmInSmallLetters(_Forgiving):
    def forgives(self, token: str) -> bool:
        return algorithm(token) == "NONE"


@breaks("a_forged_id_token_is_refused")
class TakesThePublicKeyForASecret(_Forgiving):
    def forgives(self, token: str) -> bool:
        if algorithm(token) != "HS256":
            return False
        (key,) = self.keys()
        secret = OctKey.import_key(RSAKey.import_key(dict(key)).as_pem(private=False))
        try:
            jws.deserialize_compact(token, secret, algorithms=["HS256"])
        except Exception:
            return False
        return True


@breaks("a_forged_id_token_is_refused")
class ReadsTheClaimsAlone(_Forgiving):
    def forgives(self, token: str) -> bool:
        return str(part(token, 1).get("kit")) == "changed"


class _Trusting(ChalkOpenId):
    """Believes the token itself in one respect."""

    def claims(self, provider: OpenIdProvider, tokens: Tokens, callback: Callback) -> Mapping[str, Any]:
        try:
            said = part(tokens.id_token, 1)
        except (ValueError, IndexError):
            raise BrokeContract("The ID token is none.") from None
        given: dict[str, Any] = {"client_id": self.client_id, "nonce": callback.nonce, "clock": self.clock}
        given |= self.believed(said)
        return verified(self.transport, given.pop("clock"), provider, tokens.id_token, **given)

    def believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        del said
        return {}


@breaks("an_id_token_for_others_is_refused")
class BelievesAnyAudience(_Trusting):
    def believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        audience = said.get("aud", self.client_id)
        return {"client_id": audience if isinstance(audience, str) else audience[0]}


@breaks("an_id_token_for_others_is_refused")
class BelievesAnyIssuer(_Trusting):
    def believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"fits": lambda _issuer, _claims: True}


@breaks("an_id_token_for_others_is_refused")
class CutsTheSlashOfTheIssuer(_Trusting):
    def believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"fits": lambda issuer, _claims: issuer.rstrip("/") == ISSUER}


@breaks("an_id_token_of_another_time_is_refused")
class LooksAtNoClock(_Trusting):
    def believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        now = self.clock.now()
        made = said.get("iat")
        return {"clock": FakeClock(now.fromtimestamp(made, now.tzinfo))} if isinstance(made, int) else {}


@breaks("an_id_token_of_another_sign_in_is_refused")
class BelievesAnyNonce(_Trusting):
    def believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"nonce": said.get("nonce", "")}


@breaks(
    "the_nonce_goes_to_the_provider",
    also=(
        "a_code_used_twice_lets_nobody_in",
        "the_servers_own_flow_signs_in",
        "what_the_contract_does_not_allow_is_dropped",
    ),
)
class SendsNoNonce(ChalkOpenId):
    def authorize(self, request: AuthorizeRequest) -> str:
        return super().authorize(request).replace("nonce=", "once=")


@breaks("the_verifier_goes_with_the_code")
class KeepsTheVerifierToItself(ChalkOpenId):
    def exchange(self, callback: Callback) -> Any:
        return super().exchange(dataclasses.replace(callback, code_verifier="a verifier of its own"))


@breaks("the_verifier_goes_with_the_code")
class SaysThatTheChallengeIsPlain(ChalkOpenId):
    def authorize(self, request: AuthorizeRequest) -> str:
        return super().authorize(request).replace("=S256", "=plain")


@breaks("nothing_is_kept_between_two_sign_ins")
class RemembersTheNonce(ChalkOpenId):
    nonce = ""

    def authorize(self, request: AuthorizeRequest) -> str:
        self.nonce = request.nonce
        return super().authorize(request)

    def exchange(self, callback: Callback) -> Any:
        return super().exchange(dataclasses.replace(callback, nonce=self.nonce or callback.nonce))


@breaks("an_unverified_email_is_not_called_verified")
class TakesAnyTextForYes(ChalkOpenId):
    def is_verified(self, claims: Mapping[str, Any]) -> bool:
        return bool(claims.get("email_verified"))
