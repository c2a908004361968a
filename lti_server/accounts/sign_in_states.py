"""A sign-in under way: the state that goes to the provider and back, and what binds it to the browser."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from lti_server.accounts.browser_states import BrowserStates, Spoiled, StateSpoiled, binds, derived, digest
from lti_server.accounts.sign_in_reasons import refused
from lti_server.ids import Clock, DistrictId
from lti_server.privacy.crypto import KeyRing

COOKIE_PREFIX = "lti_signin_"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """With which provider, and by which connection where one was chosen before; `secret` is the browser's own.

    `link`: in whose district somebody is signed in who links the account; None for a sign-in.
    `registers`: whether it began where somebody registers, and has answered what is asked before.
    """

    provider: str
    connection_id: UUID | None
    link: DistrictId | None
    registers: bool
    cookie_name: str
    secret: str = field(repr=False)

    @property
    def nonce(self) -> str:
        """For the ID token. It is derived, so that neither an address nor a log holds what it comes from."""
        return derived("nonce", self.secret)

    @property
    def intent(self) -> str:
        """The key of an intent to link: the browser alone can bring it back, and no address holds it."""
        return derived("link intent", self.secret)

    @property
    def code_verifier(self) -> str:
        """For PKCE (RFC 7636): 43 characters that the browser alone can bring back."""
        return derived("code verifier", self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedSignIn:
    """A new state as text, and the cookie that binds it."""

    text: str
    state: SignInState
    cookie_value: str = field(repr=False)


class SignInStates:
    """Makes and reads states of sign-ins."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        self._states = BrowserStates(ring.signing_keys("sign-in-state"), salt="sign-in", clock=clock)

    def issue(
        self, provider: str, connection_id: UUID | None, link: DistrictId | None = None, *, registers: bool = False
    ) -> IssuedSignIn:
        """Of a browser's secret the state holds a digest alone."""
        name, secret = self._states.name(), secrets.token_urlsafe(32)
        content = {
            "p": provider, "c": None if connection_id is None else str(connection_id), "k": name, "b": digest(secret),
            "l": None if link is None else str(link), "r": registers,
        }  # fmt: skip
        state = SignInState(
            provider=provider, connection_id=connection_id, link=link, registers=registers,
            cookie_name=COOKIE_PREFIX + name, secret=secret,
        )  # fmt: skip
        return IssuedSignIn(text=self._states.write(content), state=state, cookie_value=secret)

    def read(self, provider: str, text: str, cookies: Mapping[str, str]) -> SignInState:
        """The state with which this browser went to this provider.

        Raises:
            SignInRefused: `state-forged`, `state-expired`, `state-of-another-provider`, `other-browser`.
        """
        try:
            content = self._states.read(text)
        except StateSpoiled as spoiled:
            if spoiled.why is Spoiled.EXPIRED:
                raise refused("state-expired") from spoiled
            raise refused("state-forged") from spoiled
        if content["p"] != provider:
            raise refused("state-of-another-provider")
        name = COOKIE_PREFIX + content["k"]
        secret = cookies.get(name, "")
        if not binds(secret, content["b"]):
            raise refused("other-browser")
        connection_id = None if content["c"] is None else UUID(content["c"])
        # One that was made before there were links has none.
        link = None if content.get("l") is None else DistrictId(UUID(content["l"]))
        return SignInState(
            provider=provider, connection_id=connection_id, link=link, registers=content.get("r") is True,
            cookie_name=name, secret=secret,
        )  # fmt: skip
