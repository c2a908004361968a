"""Keyed hashes under which the directory finds a tenant: a stolen dump names no platform, slug or deployment."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from lti_server.db import Door


@dataclass(frozen=True, slots=True)
class DoorKeys:
    """Hashes for the directory, under the installation's own key."""

    _key: bytes = field(repr=False)

    def of(self, door: Door, *parts: str) -> bytes:
        """The key of a door; parts are length-prefixed, so that no two lists of parts meet."""
        message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in (door.value, *parts))
        return hmac.digest(self._key, message, "sha256")
