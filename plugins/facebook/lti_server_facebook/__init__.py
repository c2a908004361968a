"""Signing in with Facebook, for adults: OAuth 2, and a token that Facebook itself says is this application's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from lti_server.providers import (
    Authorization,
    AuthorizeRequest,
    BrokeContract,
    Callback,
    Capability,
    Clock,
    ConfigField,
    ConfigKind,
    ConfigValues,
    GrantRevoker,
    LoginProvider,
    Manifest,
    RejectedCredentials,
    Signal,
    SignalAnswers,
    SignalReceiver,
    SignalRequest,
    SourceIdentity,
    SourceToken,
    Transport,
    standard_fields,
)
from lti_server.providers.oauth import Client, OAuth, Tokens
from lti_server.providers.wire import host_of
from lti_server_facebook import vendor
from lti_server_facebook.mapping import FIELDS, person
from lti_server_facebook.signals import signal


class Facebook(LoginProvider, GrantRevoker, SignalReceiver):
    """One application at Facebook. It has no school systems, and no pupil comes in by it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="facebook",
        version="0.1.0",
        spi_version=(1, 2),
        title="Facebook",
        capabilities=frozenset({Capability.LOGIN, Capability.REVOKE, Capability.SIGNALS}),
        config=(
            ConfigField(name="client_id", help="The App ID, from the settings of the app at Meta for Developers."),
            ConfigField(name="client_secret", secret=True, help="The App Secret."),
            ConfigField(name="version", default=vendor.VERSION, help="Of the Graph API."),
            ConfigField(name="site", kind=ConfigKind.URL, default=vendor.SITE, help="Where people sign in."),
            ConfigField(name="api", kind=ConfigKind.URL, default=vendor.API, help="Where people are asked for."),
        ),
        adults_only=True,
        own_accounts=True,
        answers=SignalAnswers.CALLBACK,
        hosts=("{site}", "{api}"),
        fields=standard_fields(*FIELDS),
    )

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock = transport, clock
        self._site, self._api = str(config["site"]).rstrip("/"), str(config["api"]).rstrip("/")
        self._version = str(config["version"])
        self._client_id, self._secret = str(config["client_id"]), str(config["client_secret"])
        client = Client(
            client_id=self._client_id,
            client_secret=self._secret,
            authentication="client_secret_post",
            refusal_word=vendor.refusal_word,
        )
        self._client = OAuth(transport, client, pkce=vendor.PKCE)

    def authorize(self, request: AuthorizeRequest) -> str:
        """Somebody may decline to tell their e-mail address there."""
        return self._client.address(vendor.authorize_url(self._site, self._version), request, scope=vendor.SCOPE)

    def exchange(self, callback: Callback) -> SourceIdentity:
        """Facebook says whose the token is and for which application; without that, one of another could be put in."""
        tokens = self._client.tokens(vendor.token_url(self._api, self._version), callback)
        user_id = self._owner(tokens)
        profile = vendor.record(self._ask("me", tokens.access_token, fields=vendor.FIELDS), "who signed in")
        if vendor.text_in(profile, "id", "who signed in") != user_id:
            raise BrokeContract("Facebook answered about another person than the one who signed in. Tell Meta.")
        return SourceIdentity(
            issuer=self._site,
            client_id=self._client_id,
            subject=user_id,
            person=person(user_id, profile),
            tokens=tokens.kept(self._clock),
        )

    def revoke(self, token: SourceToken) -> None:
        """Take every permission of the application away; a token that is over has none any more."""
        answer = self._ask("me/permissions", token.value, method="DELETE")
        with suppress(RejectedCredentials):
            if answer.status != 200:
                vendor.record(answer, "the end of a permission")

    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        """Somebody has removed the app there, or wants to be deleted."""
        return [signal(request, issuer=self._site, secret=self._secret, clock=self._clock)]

    def _owner(self, tokens: Tokens) -> str:
        """Whose the token is.

        Raises:
            RejectedCredentials: it is of another application, or over.
        """
        app = Authorization.bearer(f"{self._client_id}|{self._secret}", hosts=[host_of(self._api)])
        answer = self._transport.request(
            "GET", self._url("debug_token"), params={"input_token": tokens.access_token}, authorization=app,
            accept=(400,),
        )  # fmt: skip
        said = vendor.record(answer, "a token").get("data")
        if not isinstance(said, dict):
            raise BrokeContract("Facebook's answer about a token has no data. Tell Meta.")
        if said.get("is_valid") is not True or said.get("app_id") != self._client_id:
            raise RejectedCredentials("Facebook says that this token is not of this application. Begin again.")
        return vendor.text_in(said, "user_id", "a token")

    def _ask(self, path: str, token: str, *, method: str = "GET", **params: str) -> Any:
        bearer = Authorization.bearer(token, hosts=[host_of(self._api)])
        params["appsecret_proof"] = vendor.proof(self._secret, token)
        return self._transport.request(method, self._url(path), params=params, authorization=bearer, accept=(400,))

    def _url(self, path: str) -> str:
        return vendor.graph_url(self._api, self._version, path)
