"""What a browser carries to another site and back: signed, bound to that browser, and written nowhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from lti_server.ids import Clock

LONGEST_LOGIN_S = 600
# It goes through addresses; servers cut those at 8 KiB.
LONGEST_STATE = 4_096


class Spoiled(StrEnum):
    """Why a text that came back says nothing."""

    MISSING = "missing"
    FORGED = "forged"
    EXPIRED = "expired"


class StateSpoiled(Exception):
    """Carries `why`; whoever reads the state says it in the words of their page."""

    def __init__(self, why: Spoiled) -> None:
        super().__init__(why.value)
        self.why = why


class BrowserStates:
    """Signs and reads states of one kind; the keys are derived for that kind, so that all workers agree.

    `keys` has the current one first, as a key ring gives them.
    """

    def __init__(self, keys: Sequence[bytes], *, salt: str, clock: Clock) -> None:
        # itsdangerous signs with the last key of the list, and derives none where told so: these are derived already.
        self._serializer = URLSafeSerializer(
            list(reversed(keys)), salt=salt, signer_kwargs={"key_derivation": "none", "digest_method": hashlib.sha256}
        )
        self._clock = clock

    def name(self) -> str:
        """A name for the cookie of a new state; in their order they are as old as the states, to a millisecond."""
        return f"{int(self._clock.now().timestamp() * 1000):012x}{secrets.token_hex(4)}"

    def write(self, content: Mapping[str, object]) -> str:
        """The text of a state that holds from now on for ten minutes; `t` of the content is its time."""
        text = self._serializer.dumps({**content, "t": int(self._clock.now().timestamp())})
        assert isinstance(text, str)
        return text

    def read(self, text: str | None) -> dict[str, Any]:
        """The content of a state; whether this browser began it is still to be asked (`binds`).

        Raises:
            StateSpoiled: there is none, it is not ours, or it is too old.
        """
        if not text:
            raise StateSpoiled(Spoiled.MISSING)
        if len(text) > LONGEST_STATE:
            raise StateSpoiled(Spoiled.FORGED)
        try:
            content = self._serializer.loads(text)
        except BadData as error:
            raise StateSpoiled(Spoiled.FORGED) from error
        assert isinstance(content, dict)
        if content["t"] < int(self._clock.now().timestamp()) - LONGEST_LOGIN_S:
            raise StateSpoiled(Spoiled.EXPIRED)
        return content


def digest(secret: str) -> str:
    """What of a browser's secret goes into a state."""
    return hashlib.sha256(secret.encode()).hexdigest()


def binds(secret: str, expected: str) -> bool:
    """Whether a browser showed the secret whose digest the state holds."""
    return hmac.compare_digest(digest(secret), expected)


def derived(use: str, secret: str) -> str:
    """43 characters for one use, from a browser's secret, which they do not tell: a nonce, a PKCE verifier."""
    made = hashlib.sha256(f"{use}\n{secret}".encode()).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
