"""The plugin keeps the contract of a receiver: a signed_request is believed where this app's secret has signed it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from lti_server_facebook import Facebook

from lti_server.providers import BrokeContract, SignalKind, SignalRequest
from lti_server.testing import Exchange, SignalReceiverContract
from lti_server.testing.recorded import NOON

SECRET = "a secret of facebook"
SAID: dict[str, Any] = {"algorithm": "HMAC-SHA256", "issued_at": int(NOON.timestamp()), "user_id": "10226400000000001"}


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(*, secret: str = SECRET, **changes: Any) -> str:
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    payload = text(json.dumps(said).encode())
    return f"{text(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest())}.{payload}"


def posted(given: str, event: str = "deletion") -> SignalRequest:
    body = urlencode({"signed_request": given}).encode()
    return SignalRequest(
        headers={"content-type": "application/x-www-form-urlencoded"}, query={"event": event}, body=body
    )


PROOF = "adb57f2da3a11fe76340e202ac0d78dca91550e99acbab0c4a4c983c0469b7fe"  # of the token that the kit gives back
SIGNATURE, PAYLOAD = signed().split(".")
SHA1 = text(hmac.new(SECRET.encode(), PAYLOAD.encode(), hashlib.sha1).digest())


class TestSignals(SignalReceiverContract):
    provider = Facebook
    config: ClassVar[dict[str, object]] = {"client_id": "1234567890", "client_secret": SECRET}
    recording: ClassVar[list[Exchange]] = [
        Exchange(
            method="DELETE",
            url=f"https://graph.facebook.com/v26.0/me/permissions?appsecret_proof={PROOF}",
            body={"success": True},
        )
    ]
    does_not_apply: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            "hosts_are_declared",
            "a_rate_limit_is_told_with_its_seconds",
            "refused_credentials_are_told",
            "an_outage_is_told",
            "a_broken_answer_is_told",
        ),
        "A signed_request is checked with the app's own secret, and nobody is asked.",
    )
    message = posted(signed())
    forged = (
        posted(f".{PAYLOAD}"),
        posted(f"{SHA1}.{PAYLOAD}"),
        posted(f"{SIGNATURE}.{signed(user_id='10226400000000002').split('.')[1]}"),
        posted(f"{SIGNATURE}x.{PAYLOAD}"),
        posted(signed(algorithm="none")),
        posted(signed(algorithm="HMAC-SHA1")),
    )
    for_others = (
        posted(signed(secret="the secret of another app")),
        posted(signed(code="of a login")),
        posted(signed(oauth_token="of a login")),
        posted(signed(issued_at=None)),
    )

    def parsed(self, request: SignalRequest) -> Any:
        run = self.run(use=self._parse(request))
        if run.error is not None:
            raise run.error
        return run.signals[0]

    def test_the_address_says_what_it_is_about(self) -> None:
        assert self.parsed(posted(signed(), "deletion")).kind is SignalKind.DATA_DELETION
        assert self.parsed(posted(signed(), "deauthorize")).kind is SignalKind.GRANT_REVOKED
        with pytest.raises(BrokeContract):
            self.parsed(posted(signed(), ""))

    def test_it_is_about_the_id_that_the_app_knows(self) -> None:
        signal = self.parsed(posted(signed()))
        assert (signal.subject, signal.issuer) == ("10226400000000001", "https://www.facebook.com")
