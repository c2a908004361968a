"""Where Google sends its security events: the stream of a Cloud project, set by a service account (RISC)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from lti_server.providers import Authorization, BrokeContract, Clock, Misconfigured, Response, StreamState, Transport
from lti_server_google.signals import KINDS

HOST = "risc.googleapis.com"
API = f"https://{HOST}/v1beta/stream"
AUDIENCE = f"https://{HOST}/google.identity.risc.v1beta.RiscManagementService"
PUSH = "https://schemas.openid.net/secevent/risc/delivery-method/push"
TOKEN_LIFE_S = 600
NONE = 404
NO_KEY = (
    "This is no key of a service account. In the Google Cloud console, make one of the kind JSON for the service "
    "account with the role RISC Configuration Admin, and give that file."
)


@dataclass(frozen=True)
class ServiceAccount:
    """Who may set the stream, as the key's file says it. Nothing of it is shown or kept."""

    email: str = field(repr=False)
    key_id: str = field(repr=False)
    key: RSAKey = field(repr=False)

    @classmethod
    def read(cls, text: str) -> ServiceAccount:
        """Raises:
        Misconfigured: the file is no key of a service account.
        """
        try:
            said = json.loads(text)
            found = [said[name] for name in ("client_email", "private_key_id", "private_key")]
            if said["type"] != "service_account" or not all(isinstance(one, str) and one for one in found):
                raise Misconfigured([NO_KEY])
            return cls(found[0], found[1], RSAKey.import_key(found[2]))
        except (ValueError, TypeError, KeyError, RecursionError, JoseError):
            raise Misconfigured([NO_KEY]) from None

    def authorization(self, clock: Clock) -> Authorization:
        """A token that it signs itself, for a few minutes and this one service."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": self.email, "sub": self.email, "aud": AUDIENCE, "iat": now, "exp": now + TOKEN_LIFE_S,
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "typ": "JWT", "kid": self.key_id}, claims, self.key, algorithms=["RS256"])
        return Authorization.bearer(token, hosts=[HOST])


@dataclass(frozen=True)
class Stream:
    """The one stream of the project of a service account."""

    transport: Transport
    clock: Clock
    account: ServiceAccount

    def register(self, address: str) -> StreamState:
        """Set the stream: what was registered before is over. Google forgets nothing else of the project."""
        wanted = {"delivery": {"delivery_method": PUSH, "url": address}, "events_requested": sorted(KINDS)}
        if self._call("POST", f"{API}:update", json=wanted).status == NONE:
            raise Misconfigured(["Google knows no such project. Enable the RISC API there, and accept its terms."])
        return self.state()

    def state(self) -> StreamState:
        """As Google says it; no address where no stream is set."""
        answer = self._call("GET", API)
        if answer.status == NONE:
            return StreamState()
        said = _object(answer)
        delivery, events = said.get("delivery"), said.get("events_requested")
        address = delivery.get("url") if isinstance(delivery, dict) else ""
        if not isinstance(address, str) or not isinstance(events, list):
            raise BrokeContract("Google's answer is no description of a stream.")
        return StreamState(
            address=address, events=tuple(one for one in events if isinstance(one, str)),
            enabled=said.get("status", "enabled") == "enabled",
        )  # fmt: skip

    def verify(self, note: str) -> None:
        """Google then sends a message with this note to where the stream leads."""
        if self._call("POST", f"{API}:verify", json={"state": note}).status == NONE:
            raise Misconfigured(["Google sends nowhere yet. Register the address first."])

    def _call(self, method: str, url: str, *, json: Mapping[str, Any] | None = None) -> Response:
        bearer = self.account.authorization(self.clock)
        answer = self.transport.request(method, url, json=json, authorization=bearer)
        if answer.status not in (200, NONE):
            raise BrokeContract(f"Google did not take what was asked of the stream ({answer.status}).")
        return answer


def _object(answer: Response) -> Mapping[str, Any]:
    said = answer.json()
    if not isinstance(said, dict):
        raise BrokeContract("Google's answer is no description of a stream.")
    return said
