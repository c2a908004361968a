"""The plugin keeps the contract of a receiver: a back-channel logout is believed, or refused, and names one person."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_oidc import OpenIdConnect

from lti_server.providers import SignalKind, SignalRequest
from lti_server.testing import Exchange, SignalReceiverContract
from lti_server.testing.recorded import NOON

ISSUER = "https://id.district.example"
KEY, STOLEN = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
PUBLIC = {**KEY.as_dict(private=False), "kid": "one", "alg": "RS256", "use": "sig"}
MADE = int(NOON.timestamp())
EVENT = "http://schemas.openid.net/event/backchannel-logout"
DISCOVERY = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}  # fmt: skip
SAID: dict[str, Any] = {
    "iss": ISSUER, "aud": "lti-server", "iat": MADE, "exp": MADE + 120, "jti": "logout-1", "sub": "pupil-number-one",
    "sid": "session-number-one", "events": {EVENT: {}},
}  # fmt: skip


def posted(*, key: RSAKey = KEY, typ: str | None = "logout+jwt", alg: str = "RS256", **changes: Any) -> SignalRequest:
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    header = {"alg": alg, "kid": "one", **({} if typ is None else {"typ": typ})}
    return form(jwt.encode(header, said, key, algorithms=[alg]))


def form(token: str, content_type: str = "application/x-www-form-urlencoded") -> SignalRequest:
    body = urlencode({"logout_token": token}).encode()
    return SignalRequest(headers={"content-type": content_type}, query={}, body=body)


def token_of(request: SignalRequest) -> list[str]:
    return request.body.decode().partition("=")[2].split(".")


HEAD, CLAIMS, SIGNATURE = token_of(posted())


class TestLogout(SignalReceiverContract):
    provider = OpenIdConnect
    config: ClassVar[dict[str, object]] = {"issuer": ISSUER, "client_id": "lti-server", "client_secret": "a secret"}
    recording: ClassVar[list[Exchange]] = [
        Exchange(url=f"{ISSUER}/.well-known/openid-configuration", body=DISCOVERY),
        Exchange(url=f"{ISSUER}/keys", body={"keys": [PUBLIC]}),
    ]
    does_not_apply: ClassVar[dict[str, str]] = {
        "revoking_twice_is_fine": "This provider names no address for it; test_contract.py has one that does.",
    }
    message = posted()
    forged = (
        posted(key=STOLEN),
        form(f"{HEAD}.{CLAIMS}."),
        form(f"{HEAD}.{token_of(posted(jti='logout-2'))[1]}.{SIGNATURE}"),
        form(f"{HEAD}.{CLAIMS}.{SIGNATURE}", "text/plain"),
    )
    for_others = (
        posted(aud="another-client"),
        posted(aud=None),
        posted(iss="https://elsewhere.example"),
        posted(nonce="n-0S6_WzA2Mj"),
        posted(events={"https://other.example/event": {}}),
        posted(typ="at+jwt"),
    )

    def parsed(self, request: SignalRequest) -> Any:
        run = self.run(use=self._parse(request))
        if run.error is not None:
            raise run.error
        return run.signals[0]

    def test_it_names_the_person_and_the_sign_in(self) -> None:
        signal = self.parsed(posted())
        assert signal.kind is SignalKind.SESSIONS_REVOKED
        assert (signal.issuer, signal.subject) == (ISSUER, "pupil-number-one")
        assert (signal.provider_session_id, signal.signal_id) == ("session-number-one", "logout-1")

    @pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt", "application/logout+jwt"])
    def test_providers_from_before_the_type_was_named_are_believed(self, typ: str | None) -> None:
        assert self.parsed(posted(typ=typ)).subject == "pupil-number-one"

    def test_an_audience_of_several_may_be_ours_among_others(self) -> None:
        assert self.parsed(posted(aud=["another-client", "lti-server"])).subject == "pupil-number-one"

    def test_a_session_alone_is_enough(self) -> None:
        assert self.parsed(posted(sub=None)).subject == ""
