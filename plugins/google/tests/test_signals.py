"""The plugin keeps the contract of a receiver: each event of Google's is what its own table says it is."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_google import Google

from lti_server.providers import BrokeContract, SignalKind, SignalRequest
from lti_server.testing import Exchange, SignalReceiverContract
from lti_server.testing.recorded import NOON

EVENTS = "https://schemas.openid.net/secevent/"
KEY, STOLEN = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
PUBLIC = {**KEY.as_dict(private=False), "kid": "one", "alg": "RS256", "use": "sig"}
CERTS = "https://www.googleapis.com/oauth2/v3/certs"
DISCOVERY = {
    "issuer": "https://accounts.google.com", "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
    "token_endpoint": "https://oauth2.googleapis.com/token", "jwks_uri": CERTS,
}  # fmt: skip
SUBJECT = {"subject_type": "iss-sub", "iss": "https://accounts.google.com/", "sub": "110169484474386276334"}
SAID: dict[str, Any] = {
    "iss": "https://accounts.google.com/", "aud": "a.apps.example", "iat": int(NOON.timestamp()), "jti": "event-1",
    "events": {EVENTS + "risc/event-type/sessions-revoked": {"subject": SUBJECT}},
}  # fmt: skip


def posted(*, key: RSAKey = KEY, kid: str = "one", alg: str = "RS256", **changes: Any) -> SignalRequest:
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    body = jwt.encode({"alg": alg, "kid": kid}, said, key, algorithms=[alg]).encode()
    return SignalRequest(headers={"content-type": "application/secevent+jwt"}, query={}, body=body)


def event(name: str, **said: Any) -> SignalRequest:
    return posted(events={EVENTS + name: {"subject": SUBJECT, **said}})


class TestSignals(SignalReceiverContract):
    provider = Google
    config: ClassVar[dict[str, object]] = {"client_id": "a.apps.example", "client_secret": "a secret"}
    recording: ClassVar[list[Exchange]] = [
        Exchange(
            url="https://accounts.google.com/.well-known/risc-configuration",
            body={"issuer": "https://accounts.google.com/", "jwks_uri": CERTS},
        ),
        Exchange(url=CERTS, body={"keys": [PUBLIC]}),
        Exchange(url="https://accounts.google.com/.well-known/openid-configuration", body=DISCOVERY),
    ]
    does_not_apply: ClassVar[dict[str, str]] = {
        "revoking_twice_is_fine": "Messages name no address for it; test_contract.py has Google's.",
    }
    message = posted()
    forged = (posted(key=STOLEN), posted(key=STOLEN, kid="of-nobody"), posted(alg="RS512"))
    for_others = (
        posted(aud="another.apps.example"),
        posted(aud=None),
        posted(iss="https://accounts.google.com"),
        posted(events={}),
    )

    def parsed(self, request: SignalRequest) -> Any:
        run = self.run(use=self._parse(request))
        if run.error is not None:
            raise run.error
        return run.signals

    @pytest.mark.parametrize(
        ("name", "said", "kind"),
        [
            ("risc/event-type/sessions-revoked", {}, SignalKind.SESSIONS_REVOKED),
            ("oauth/event-type/tokens-revoked", {}, SignalKind.TOKENS_REVOKED),
            ("risc/event-type/account-disabled", {"reason": "hijacking"}, SignalKind.ACCOUNT_DISABLED),
            ("risc/event-type/account-disabled", {}, SignalKind.ACCOUNT_DISABLED),
            ("risc/event-type/account-disabled", {"reason": "bulk-account"}, SignalKind.ACCOUNT_SUSPECT),
            ("risc/event-type/account-enabled", {}, SignalKind.ACCOUNT_ENABLED),
            ("risc/event-type/account-credential-change-required", {}, SignalKind.CREDENTIAL_CHANGED),
            ("risc/event-type/account-purged", {}, SignalKind.ACCOUNT_PURGED),
        ],
    )
    def test_each_event_is_one_kind_about_one_account(self, name: str, said: dict[str, str], kind: SignalKind) -> None:
        (signal,) = self.parsed(event(name, **said))
        assert (signal.kind, signal.subject, signal.note) == (kind, SUBJECT["sub"], said.get("reason", ""))
        assert signal.issuer == "https://accounts.google.com"  # as sign-ins write it

    def test_a_verification_is_about_nobody_and_has_its_state(self) -> None:
        (signal,) = self.parsed(posted(events={EVENTS + "risc/event-type/verification": {"state": "x" * 200}}))
        assert (signal.kind, signal.subject, signal.note) == (SignalKind.VERIFICATION, "", "x" * 100)

    def test_a_refresh_token_that_is_gone_is_none_of_ours(self) -> None:
        subject = {"subject_type": "oauth_token", "token_type": "refresh_token", "token": "1//0abc"}
        assert self.parsed(posted(events={EVENTS + "oauth/event-type/token-revoked": {"subject": subject}})) == []

    def test_nobody_is_found_by_an_e_mail_address(self) -> None:
        email = {"subject_type": "email", "email": "ada@district.example"}
        with pytest.raises(BrokeContract):
            self.parsed(posted(events={EVENTS + "risc/event-type/account-purged": {"subject": email}}))
