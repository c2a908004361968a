"""Proving who somebody is: to a provider, and back from it with an identity, and by which connection they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lti_server.accounts.arrivals import has_keys
from lti_server.accounts.connected import Connected, Paused
from lti_server.accounts.provider_connections import ProviderConnections
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.sign_in_states import IssuedSignIn, SignInState, SignInStates
from lti_server.errors import InvalidInput, NotFound, ProviderFailed, ProviderLimitsUs, ProviderRejectedUs
from lti_server.ids import DistrictId
from lti_server.providers.connector import Connector
from lti_server.providers.faults import server_errors
from lti_server.providers.records import SourceIdentity
from lti_server.providers.spi import AuthorizeRequest, Callback


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where to send the browser, and what binds the sign-in to it."""

    address: str
    issued: IssuedSignIn


class Proving:
    """The two ways of a browser at `/auth/<provider>/…`. A provider is called outside any transaction."""

    def __init__(
        self,
        *,
        states: SignInStates,
        connections: ProviderConnections,
        connector: Connector,
        unknown_tenant: Callable[[str, str], None],
        own: Callable[[str, SourceIdentity], Connected | None],
        base_url: str,
    ) -> None:
        self._states = states
        self._connections = connections
        self._connector = connector
        self._unknown_tenant = unknown_tenant
        self._own = own
        self._base_url = base_url

    def begin(
        self, provider: str, *, slug: str = "", locale: str = "", link: DistrictId | None = None,
        registers: bool = False,
    ) -> Begun:  # fmt: skip
        """Send somebody to a provider: by their district's connection, or by the operator's application.

        `link`: in whose district somebody is signed in who links the account (accounts/linking.py); nobody is let in.
        `registers`: somebody registers, and has answered what is asked before (sign_up_answers.py).

        Raises:
            NotFound: no such plugin runs.
            SignInRefused: `not-connected`; nobody here signs in with this provider like that.
            ProviderFailed: the provider does not say where to go.
        """
        self._connections.connectable(provider)
        found = self._connections.of_district(slug, provider)[:1] if slug else []
        config = found[0].config if found else (None if slug else self._connections.application_of(provider))
        if config is None:
            raise refused("not-connected")
        issued = self._states.issue(provider, found[0].id if found else None, link, registers=registers)
        login = self._connector.login(provider, config)
        with server_errors(provider):
            address = login.authorize(
                AuthorizeRequest(
                    redirect_uri=self._redirect_uri(provider), state=issued.text, nonce=issued.state.nonce,
                    code_verifier=issued.state.code_verifier, tenant=(found[0].tenant or "") if found else "",
                    locale=locale,
                )
            )  # fmt: skip
        return Begun(address=address, issued=issued)

    def state(self, provider: str, params: Mapping[str, str], cookies: Mapping[str, str]) -> SignInState:
        """The sign-in that a callback ends; the browser's own.

        Raises:
            SignInRefused: as `SignInStates.read`.
        """
        return self._states.read(provider, params.get("state", ""), cookies)

    def proven(self, state: SignInState, params: Mapping[str, str]) -> tuple[Connected, SourceIdentity]:
        """Who somebody is at the provider, and by which connection. Nothing is kept, and nobody is let in.

        Raises:
            SignInRefused: with a reason of docs/reference/sign-in-refusals.md.
        """
        begun = self._begun(state)
        identity = self._exchange(state, begun, params)
        return self._of(state, begun, identity), identity

    def _exchange(self, state: SignInState, begun: Connected | None, params: Mapping[str, str]) -> SourceIdentity:
        config = self._config(state, begun)
        login = self._connector.login(state.provider, config)
        callback = Callback(
            redirect_uri=self._redirect_uri(state.provider), params=params, nonce=state.nonce,
            code_verifier=state.code_verifier,
        )  # fmt: skip
        try:
            with server_errors(state.provider):
                found = login.exchange(callback)
        except ProviderRejectedUs as error:
            raise refused("declined") from error
        except ProviderLimitsUs as error:
            raise refused("busy") from error
        except (ProviderFailed, InvalidInput) as error:
            raise refused("provider-failed", internal=error.detail) from error
        if not has_keys(found):
            raise refused("provider-failed")
        return found

    def _config(self, state: SignInState, begun: Connected | None) -> Mapping[str, object]:
        if begun is not None:
            return begun.config
        config = self._connections.application_of(state.provider)
        if config is None:
            raise refused("withdrawn")
        return config

    def _of(self, state: SignInState, begun: Connected | None, identity: SourceIdentity) -> Connected:
        """The connection of the identity's tenant: what a browser asked for before decides nothing (ADR 13).

        What a district's own application says of tenants counts in that district alone. That the connection by which
        a sign-in began stands at the end, too, the transaction that lets somebody in sees for itself.
        """
        if begun is not None and begun.own_application and identity.tenant == (begun.tenant or ""):
            return begun
        if identity.tenant:
            try:
                found = self._connections.of_tenant(state.provider, identity.tenant)
            except Paused as error:
                ours = begun is None or not begun.own_application or begun.district_id == error.district_id
                raise refused("paused" if ours else "tenant-not-connected") from error
            except NotFound as error:
                if begun is None or not begun.own_application:
                    self._unknown_tenant(state.provider, identity.tenant)
                raise refused("tenant-not-connected") from error
            if begun is not None and begun.own_application and found.district_id != begun.district_id:
                raise refused("tenant-not-connected")
            return found
        if begun is not None and begun.tenant is None:
            return begun
        own = self._own(state.provider, identity) if begun is None else None
        if own is None:
            raise refused("no-tenant")
        return own

    def _begun(self, state: SignInState) -> Connected | None:
        """The connection by which a sign-in began; none by the operator's application."""
        if state.connection_id is None:
            return None
        try:
            return self._connections.one(state.connection_id)
        except NotFound as error:
            raise refused("withdrawn") from error

    def _redirect_uri(self, provider: str) -> str:
        return f"{self._base_url}/auth/{provider}/callback"
