"""The demo LMS as a provider of LTI Server: it understands the platform's security events, and nothing else.

Loaded by LTI Server through its entry point alone; the platform itself needs nothing of that server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from lti_server.providers import (
    BrokeContract,
    Capability,
    Clock,
    ConfigField,
    ConfigKind,
    ConfigValues,
    Manifest,
    RejectedCredentials,
    Signal,
    SignalKind,
    SignalRequest,
    Transport,
)
from lti_server_demo_lms.security_events import EVENTS, TYPE

LATE = timedelta(minutes=10)
AHEAD = timedelta(minutes=1)


class DemoLmsSignals:
    """`SignalReceiver` for one registration: its issuer, its client, and the key set that it publishes."""

    manifest: ClassVar[Manifest] = Manifest(
        name="demo_lms",
        title="Demo LMS",
        version="0.1.0",
        spi_version=(1, 0),
        capabilities=frozenset({Capability.SIGNALS}),
        config=(
            ConfigField(name="issuer"),
            ConfigField(name="client_id"),
            ConfigField(name="jwks_url", kind=ConfigKind.URL),
        ),
        hosts=("{jwks_url}",),
    )

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock

    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        """The events of one token. What can be refused without the keys is, so that a flood asks for none."""
        token = _compact(request.body)
        header, said = _headers(token), _json(token.payload)
        issued = self._checked(header, said)
        self._check_signature(request.body, str(header["kid"]))
        return [self._signal(said, event, issued) for event in self._events(said)]

    def _checked(self, header: Mapping[str, Any], said: Mapping[str, Any]) -> datetime:
        if header.get("alg") != "RS256" or header.get("typ") != TYPE or not isinstance(header.get("kid"), str):
            raise RejectedCredentials("This is no security event of the demo LMS (alg, typ, kid).")
        if said.get("iss") != self._config["issuer"]:
            raise RejectedCredentials("The event is from another platform (iss).")
        audience = said.get("aud")
        if audience not in (self._config["client_id"], [self._config["client_id"]]):
            raise RejectedCredentials("The event was made for another tool (aud).")
        issued, now = _time(said.get("iat")), self._clock.now()
        if issued is None or not now - LATE <= issued <= now + AHEAD:
            raise RejectedCredentials("The event is too old, or its time is missing (iat).")
        return issued

    def _check_signature(self, body: bytes, kid: str) -> None:
        try:
            jws.deserialize_compact(body.strip(), self._key(kid), algorithms=["RS256"])
        except (JoseError, ValueError):
            raise RejectedCredentials("The event was not signed by the platform that it names.") from None

    def _key(self, kid: str) -> RSAKey:
        listed = self._transport.request("GET", str(self._config["jwks_url"])).json()
        keys = listed.get("keys") if isinstance(listed, dict) else None
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise BrokeContract("The platform answered without its keys.")
        for key in keys:
            if key.get("kid") == kid and key.get("kty") == "RSA":
                try:
                    return RSAKey.import_key(key)
                except (JoseError, ValueError, TypeError, KeyError):
                    raise BrokeContract("One of the platform's keys cannot be read.") from None
        raise RejectedCredentials("The event was signed by a key that the platform does not publish.")

    def _events(self, said: Mapping[str, Any]) -> list[str]:
        """Those that are known; others are none of ours."""
        events = said.get("events")
        if not isinstance(events, dict) or not isinstance(said.get("jti"), str) or not said["jti"]:
            raise BrokeContract("The platform sent an event without its id or its type (jti, events).")
        return [event for event in events if event in EVENTS]

    def _signal(self, said: Mapping[str, Any], event: str, issued: datetime) -> Signal:
        named = said.get("sub_id", {})
        subject = named.get("sub", "") if isinstance(named, dict) else None
        if not isinstance(subject, str) or ("sub_id" in said and not subject):
            raise BrokeContract("The platform sent an event about somebody whom it does not name (sub_id).")
        return Signal(
            kind=SignalKind(EVENTS[event]),
            signal_id=str(said["jti"]),
            issuer=str(said["iss"]),
            occurred_at=_time(said.get("toe")) or issued,
            subject=subject,
        )


def _compact(body: bytes) -> jws.CompactSignature:
    try:
        return jws.extract_compact(body.strip())
    except (JoseError, ValueError):
        raise RejectedCredentials("This is no signed event.") from None


def _headers(token: jws.CompactSignature) -> Mapping[str, Any]:
    found = token.headers()
    return found if isinstance(found, dict) else {}


def _json(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RejectedCredentials("This is no signed event.")
    return found


def _time(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
