"""Chalk, the made-up vendor, as a sender of signals: JSON with a keyed hash in a header."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from lti_server.providers import (
    BrokeContract,
    Capability,
    Manifest,
    RejectedCredentials,
    Response,
    Signal,
    SignalKind,
    SignalRequest,
)
from lti_server.testing import Exchange
from lti_server.testing.recorded import NOON
from tests.contract.chalk import BASE, REVOKE, Chalk, chalk_manifest

KEYS = f"{BASE}/keys"
HEADER = "chalk-signature"
KEY, STOLEN = "key-of-the-recording", "key-of-somebody-else"
SIGNALS = [Exchange(url=KEYS, body={"keys": {"k1": KEY}}), REVOKE]
SAID: dict[str, Any] = {
    "id": "n-1", "for": "client-of-the-test", "at": NOON.isoformat(), "event": "account_disabled",
    "user": "u1-adelheid",
}  # fmt: skip


def message(*, key: str = KEY, kid: str = "k1", **changes: Any) -> SignalRequest:
    body = json.dumps({**SAID, **changes}).encode()
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return SignalRequest(headers={HEADER: f"{kid}={signature}"}, query={}, body=body)


FOR_ANOTHER: dict[str, Any] = {"for": "another-client"}
MESSAGE = message()
FORGED = [
    message(key=STOLEN),
    SignalRequest(headers={}, query={}, body=MESSAGE.body),
    SignalRequest(headers=MESSAGE.headers, query={}, body=message(user="u2-somebody").body),
    message(keys="https://evil.example/keys", key=STOLEN),
]
FOR_OTHERS = [message(**FOR_ANOTHER), message(purpose="receipt")]


class ChalkSignals(Chalk):
    manifest: ClassVar[Manifest] = chalk_manifest(Capability.SIGNALS)

    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        kid, _, signature = request.headers.get(HEADER, "").partition("=")
        keys = self.keys(self.transport.request("GET", self.keys_at(request), authorization=self.basic))
        self.verify(request.body, keys.get(kid, ""), signature)
        said = json.loads(request.body)
        if not isinstance(said, dict):
            raise BrokeContract("chalk.example sent a message that is no object.")
        self.check_purpose(said)
        self.check_time(datetime.fromisoformat(said["at"]))
        return self.signals(said)

    def keys_at(self, request: SignalRequest) -> str:
        return KEYS

    def keys(self, response: Response) -> dict[str, Any]:
        read = response.json()
        keys = read.get("keys") if isinstance(read, dict) else None
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            raise BrokeContract("chalk.example answered without its keys.")
        return keys

    def verify(self, body: bytes, key: str, signature: str) -> None:
        wanted = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        if not key or not hmac.compare_digest(wanted.encode(), signature.encode()):
            raise RejectedCredentials("This is not from chalk.example.")

    def check_purpose(self, said: Mapping[str, Any]) -> None:
        if said.get("for") != self.config["client_id"] or "purpose" in said:
            raise RejectedCredentials("This is for somebody else.")

    def check_time(self, at: datetime) -> None:
        if abs(self.clock.now() - at) > timedelta(minutes=10):
            raise RejectedCredentials("This is too old.")

    def signals(self, said: Mapping[str, Any]) -> Sequence[Signal]:
        return [
            Signal(
                kind=SignalKind(said["event"]),
                signal_id=said["id"],
                issuer=BASE,
                occurred_at=datetime.fromisoformat(said["at"]),
                subject=said["user"],
            )
        ]
