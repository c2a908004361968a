"""The state between login and launch: signed, bound to one browser, never written (Security Framework 1.0, 5.1.1)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lti_server.accounts.browser_states import LONGEST_STATE, BrowserStates, Spoiled, StateSpoiled, binds, digest
from lti_server.errors import LaunchRejected
from lti_server.ids import Clock
from lti_server.privacy.crypto import KeyRing

COOKIE_PREFIX = "lti_login_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """What a login began with. `deployment_id` only where the platform named one; the cookie is spent with it.

    `storage_target` is the frame of the platform's storage, None where it offered none. `restart` has the parameters
    that begin the same login again; it is empty where there is no need, or no room.
    """

    issuer: str
    client_id: str
    deployment_id: str | None
    nonce: str
    cookie_name: str
    storage_target: str | None = None
    restart: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedState:
    """The text for the platform, and what binds it to this browser: a cookie, and a value for platform storage.

    They are two secrets, so that what the platform keeps for its reader is not what the browser keeps for itself.
    `stored_value` is empty where the platform offered no storage.
    """

    text: str
    nonce: str
    cookie_name: str
    cookie_value: str = field(repr=False)
    stored_value: str = field(repr=False)


class NotBound(Exception):
    """A state that is in order, and that this browser did not show to be its own. `refusal` is the answer to that."""

    def __init__(self, login: LoginState) -> None:
        super().__init__()
        self.login = login
        self.refusal = LaunchRejected(
            "other-browser",
            "This launch began in another browser, or the browser does not keep cookies inside the LMS. "
            "Open the lesson again from your course, in a new window if it stays so.",
        )


class StateSigner:
    """Makes and reads states; the keys come from `SECRET_KEYS`, so that all workers agree and rotation is free."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        self._states = BrowserStates(ring.signing_keys("lti-state"), salt="lti-login", clock=clock)

    def issue(
        self,
        issuer: str,
        client_id: str,
        deployment_id: str | None,
        *,
        storage_target: str | None = None,
        restart: Mapping[str, str] | None = None,
    ) -> IssuedState:
        """A new state. What binds the browser is in it as digests alone; `restart` is left out where it is too long."""
        name, browser, nonce = secrets.token_hex(8), secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        stored = secrets.token_urlsafe(24) if storage_target is not None else ""
        content: dict[str, object] = {
            "i": issuer,
            "c": client_id,
            "d": deployment_id,
            "n": nonce,
            "k": name,
            "b": digest(browser),
        }
        if storage_target is not None:
            content |= {"f": storage_target, "s": digest(stored)}
        again = dict(restart or {})
        text = self._states.write({**content, "r": again} if again else content)
        if again and len(text) > LONGEST_STATE:
            text = self._states.write(content)
        return IssuedState(
            text=text, nonce=nonce, cookie_name=COOKIE_PREFIX + name, cookie_value=browser, stored_value=stored,
        )  # fmt: skip

    def read(self, text: str | None, cookies: Mapping[str, str], stored: str | None = None) -> LoginState:
        """The state that this browser began with, by its cookie or by what the platform stored for it.

        Raises:
            LaunchRejected: `state-missing`, `state-forged`, `state-expired`.
            NotBound: neither fits.
        """
        try:
            content = self._states.read(text)
        except StateSpoiled as spoiled:
            raise _refusals()[spoiled.why] from spoiled
        login = LoginState(
            issuer=content["i"], client_id=content["c"], deployment_id=content["d"], nonce=content["n"],
            cookie_name=COOKIE_PREFIX + content["k"], storage_target=content.get("f"), restart=content.get("r", {}),
        )  # fmt: skip
        if not _bound(content, cookies.get(login.cookie_name, ""), stored):
            raise NotBound(login)
        return login


AGAIN = "Open the lesson again from your course."


def _refusals() -> dict[Spoiled, LaunchRejected]:
    return {
        Spoiled.MISSING: LaunchRejected("state-missing", "The LMS sent a launch that did not begin here. " + AGAIN),
        Spoiled.FORGED: LaunchRejected("state-forged", "The launch did not begin here. " + AGAIN),
        Spoiled.EXPIRED: LaunchRejected("state-expired", "Opening the lesson took too long. " + AGAIN),
    }


def _bound(content: Mapping[str, Any], cookie: str, stored: str | None) -> bool:
    return binds(cookie, content["b"]) or (stored is not None and "s" in content and binds(stored, content["s"]))
