"""A sign-in of an administrator that lets nobody in: to try a connection, or to prove whose a tenant is.

It goes to the provider and comes back as every sign-in does (`sign_in_states.py`), with a state of its own kind, bound
to the browser, and to the session of the console in which it began. Nothing of the account is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from lti_server.accounts.arrivals import has_keys
from lti_server.accounts.browser_states import BrowserStates, Spoiled, StateSpoiled, binds, derived, digest
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.sign_in_states import COOKIE_PREFIX
from lti_server.ids import Clock, DistrictId, SessionId
from lti_server.privacy.crypto import KeyRing
from lti_server.providers.connector import Connector
from lti_server.providers.errors import BrokeContract
from lti_server.providers.faults import server_errors
from lti_server.providers.records import SourceIdentity
from lti_server.providers.spi import AuthorizeRequest, Callback

Config = Mapping[str, object]


class TrialKind(StrEnum):
    TRY = "try"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """In whose console it began, and about what: a connection by its grant, or a claim."""

    kind: TrialKind
    district_id: DistrictId
    session_id: SessionId
    about: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One that came back to the browser that it left."""

    began: Began
    provider: str
    cookie_name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Where to send the browser, and what binds it."""

    address: str
    cookie_name: str
    cookie_value: str = field(repr=False)


class TrialSignIns:
    """Sends to a provider, and reads what comes back. A provider is called outside any transaction."""

    def __init__(self, *, ring: KeyRing, connector: Connector, base_url: str, clock: Clock) -> None:
        self._states = BrowserStates(ring.signing_keys("trial-sign-in-state"), salt="trial-sign-in", clock=clock)
        self._connector = connector
        self._base_url = base_url

    def begin(self, began: Began, provider: str, config: Config, *, tenant: str = "", locale: str = "") -> Sent:
        """The way to a provider.

        Raises:
            ProviderFailed, InvalidInput: it does not say where to go, or the configuration does not fit.
        """
        name, secret = COOKIE_PREFIX + self._states.name(), secrets.token_urlsafe(32)
        state = self._states.write(
            {
                "p": provider, "u": began.kind.value, "d": str(began.district_id), "s": str(began.session_id),
                "a": str(began.about), "k": name, "b": digest(secret),
            }
        )  # fmt: skip
        login = self._connector.login(provider, config)
        with server_errors(provider):
            address = login.authorize(
                AuthorizeRequest(
                    redirect_uri=self._redirect_uri(provider), state=state, nonce=derived("nonce", secret),
                    code_verifier=derived("code verifier", secret), tenant=tenant, locale=locale,
                )
            )  # fmt: skip
        return Sent(address=address, cookie_name=name, cookie_value=secret)

    def read(self, provider: str, params: Mapping[str, str], cookies: Mapping[str, str]) -> Trial | None:
        """The trial that a callback ends; None where it ends none.

        Raises:
            SignInRefused: it is too old, another provider's, or another browser's.
        """
        try:
            content = self._states.read(params.get("state", ""))
        except StateSpoiled as spoiled:
            if spoiled.why is Spoiled.EXPIRED:
                raise refused("state-expired") from spoiled
            return None
        if content["p"] != provider:
            raise refused("state-of-another-provider")
        secret = cookies.get(content["k"], "")
        if not binds(secret, content["b"]):
            raise refused("other-browser")
        began = Began(
            kind=TrialKind(content["u"]), district_id=DistrictId(UUID(content["d"])),
            session_id=SessionId(UUID(content["s"])), about=UUID(content["a"]),
        )  # fmt: skip
        return Trial(began=began, provider=provider, cookie_name=content["k"], secret=secret)

    def identity(self, trial: Trial, config: Config, params: Mapping[str, str]) -> SourceIdentity:
        """Who signed in, by the provider's word; read into memory alone.

        Raises:
            ProviderFailed and its kin, InvalidInput: what went wrong, in words for an administrator.
        """
        login = self._connector.login(trial.provider, config)
        callback = Callback(
            redirect_uri=self._redirect_uri(trial.provider), params=params, nonce=derived("nonce", trial.secret),
            code_verifier=derived("code verifier", trial.secret),
        )  # fmt: skip
        with server_errors(trial.provider):
            found = login.exchange(callback)
            if not has_keys(found):
                raise BrokeContract(
                    "What the provider says of the account names nobody. Tell the author of the plugin."
                )
            return found

    def _redirect_uri(self, provider: str) -> str:
        return f"{self._base_url}/auth/{provider}/callback"
