"""Signed messages that a provider sends by itself (RFC 8417, OpenID Connect Back-Channel Logout 1.0), for plugins.

What can be refused without the keys is refused first, so that a flood of nonsense asks nobody for any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from lti_server.providers.errors import BrokeContract, RejectedCredentials
from lti_server.providers.oidc import SpoiledToken, signed
from lti_server.providers.spi import Clock, Transport

LONGEST = 32 * 1024
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a message says of itself. Nothing of it is believed before `check_signature`."""

    text: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        """Its own id, by which a repeat is known.

        Raises:
            BrokeContract: it has none.
        """
        said = self.claims.get("jti")
        if not isinstance(said, str) or not 0 < len(said) <= 255:
            raise BrokeContract("The message has no id of its own (jti).")
        return said

    @property
    def events(self) -> Mapping[str, Mapping[str, Any]]:
        """What happened, by type; an event is an object, or it is none.

        Raises:
            RejectedCredentials: this is a token for something else.
        """
        said = self.claims.get("events")
        if not isinstance(said, dict) or not said:
            raise RejectedCredentials("The message tells of no event (events).")
        return {name: event for name, event in said.items() if isinstance(event, dict)}

    def issued(self, clock: Clock, *, late: timedelta) -> datetime:
        """When it was made (`iat`): not long ago, and not ahead of us.

        Raises:
            RejectedCredentials: it is too old, from the future, or does not say.
        """
        said = self.claims.get("iat")
        try:
            made = datetime.fromtimestamp(said, UTC) if type(said) in (int, float) else None  # type: ignore[arg-type]  # asked just now
        except (ValueError, OverflowError, OSError):
            made = None
        now = clock.now()
        if made is None or not now - late <= made <= now + AHEAD:
            raise RejectedCredentials("The message is too old, or its time is missing (iat).")
        return made

    def is_for(self, client_id: str) -> bool:
        """Whether it was made for this client (`aud`), alone or among others."""
        audience = self.claims.get("aud")
        return audience == client_id or (isinstance(audience, list) and client_id in audience)


def claimed(body: bytes) -> Claimed:
    """Read a signed message without believing it.

    Raises:
        RejectedCredentials: it is none.
    """
    text = body.strip()
    try:
        token = jws.extract_compact(text[: LONGEST + 1])
        header, claims = token.headers(), json.loads(token.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise RejectedCredentials("This is no signed message.") from None
    if len(text) > LONGEST or not isinstance(header, dict) or not isinstance(claims, dict):
        raise RejectedCredentials("This is no signed message.")
    return Claimed(text=text.decode("ascii", errors="replace"), header=header, claims=claims)


def check_signature(transport: Transport, jwks_uri: str, message: Claimed) -> None:
    """Whether the provider signed it, with a key that it publishes now.

    Raises:
        RejectedCredentials: it did not. BrokeContract: its keys are none. RateLimited, Unavailable: they cannot be
            read.
    """
    try:
        signed(transport, jwks_uri, message.text)
    except SpoiledToken:
        raise RejectedCredentials("The message was not signed by the provider that it names.") from None
