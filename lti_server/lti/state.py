"""The state between login and launch: signed, bound to one browser, never written (Security Framework 1.0, 5.1.1)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

from lti_server.errors import LaunchRejected
from lti_server.ids import Clock
from lti_server.privacy.crypto import KeyRing

LONGEST_LOGIN_S = 600
LONGEST_STATE = 2_048
COOKIE_PREFIX = "lti_login_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """What a login began with. `deployment_id` only where the platform named one; the cookie is spent with it."""

    issuer: str
    client_id: str
    deployment_id: str | None
    nonce: str
    cookie_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedState:
    """The text for the platform, and the cookie that binds it to this browser."""

    text: str
    cookie_name: str
    cookie_value: str


class StateSigner:
    """Makes and reads states; the keys come from `SECRET_KEYS`, so that all workers agree and rotation is free."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        # itsdangerous signs with the last key of the list; the ring's first is the current one.
        keys = list(reversed(ring.signing_keys("lti-state")))
        self._serializer = URLSafeTimedSerializer(
            keys, salt="lti-login", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._clock = clock

    def issue(self, issuer: str, client_id: str, deployment_id: str | None) -> tuple[IssuedState, str]:
        """A new state and its nonce. The cookie's value is in the state as a digest alone."""
        name, browser, nonce = secrets.token_hex(8), secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        issued_at = int(self._clock.now().timestamp())
        text = self._serializer.dumps(
            {
                "i": issuer,
                "c": client_id,
                "d": deployment_id,
                "n": nonce,
                "k": name,
                "b": _digest(browser),
                "t": issued_at,
            }
        )
        assert isinstance(text, str)
        return IssuedState(text=text, cookie_name=COOKIE_PREFIX + name, cookie_value=browser), nonce

    def read(self, text: str | None, cookies: Mapping[str, str]) -> LoginState:
        """The state that this browser began with.

        Raises:
            LaunchRejected: `state-missing`, `state-forged`, `state-expired`, `other-browser`.
        """
        if not text:
            raise LaunchRejected("state-missing", "The LMS sent a launch that did not begin here. " + AGAIN)
        content = self._content(text)
        now = int(self._clock.now().timestamp())
        if content["t"] < now - LONGEST_LOGIN_S:
            raise LaunchRejected("state-expired", "Opening the lesson took too long. " + AGAIN)
        cookie_name = COOKIE_PREFIX + content["k"]
        browser = cookies.get(cookie_name, "")
        if not hmac.compare_digest(_digest(browser), content["b"]):
            raise LaunchRejected(
                "other-browser",
                "This launch began in another browser, or the browser does not keep cookies inside the LMS. "
                "Open the lesson again from your course, in a new window if it stays so.",
            )
        return LoginState(
            issuer=content["i"], client_id=content["c"], deployment_id=content["d"], nonce=content["n"],
            cookie_name=cookie_name,
        )  # fmt: skip

    def _content(self, text: str) -> dict[str, Any]:
        if len(text) > LONGEST_STATE:
            raise LaunchRejected("state-forged", "The launch did not begin here. " + AGAIN)
        try:
            content = self._serializer.loads(text)
        except BadData as error:
            raise LaunchRejected("state-forged", "The launch did not begin here. " + AGAIN) from error
        assert isinstance(content, dict)
        return content


AGAIN = "Open the lesson again from your course."


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
