"""Clever: signing in by OAuth 2, who it is by Clever's own id, and which districts have let the application in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    LoginProvider,
    Manifest,
    SourceIdentity,
    TenantList,
    Transport,
    standard_fields,
)
from lti_server.providers.oauth import Client, OAuth, Tokens
from lti_server.providers.oidc import discover, verified
from lti_server.providers.wire import host_of
from lti_server_clever import vendor
from lti_server_clever.mapping import FIELDS, administers, person


class Clever(LoginProvider, TenantList):
    """One application at Clever, and the districts that have authorised it. No token is kept of a sign-in."""

    manifest: ClassVar[Manifest] = Manifest(
        name="clever",
        version="0.1.0",
        spi_version=(1, 2),
        title="Clever",
        capabilities=frozenset({Capability.LOGIN, Capability.TENANTS}),
        config=(
            ConfigField(name="client_id", help="Of the application in Clever's dashboard."),
            ConfigField(name="client_secret", secret=True, help="Its secret."),
            ConfigField(name="district_id", required=False, help="Clever's id of your district, 24 characters."),
            ConfigField(
                name="openid", kind=ConfigKind.BOOLEAN, default=False,
                help="Whether Clever has enabled OpenID Connect for the application.",
            ),
            ConfigField(name="site", kind=ConfigKind.URL, default=vendor.SITE, help="Where people sign in."),
            ConfigField(name="api", kind=ConfigKind.URL, default=vendor.API, help="Where people are asked for."),
        ),
        tenant="district_id",
        names_administrators=True,
        hosts=("{site}", "{api}"),
        fields=standard_fields(*FIELDS),
    )  # fmt: skip

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._transport, self._clock = transport, clock
        self._site, self._api = str(config["site"]).rstrip("/"), str(config["api"]).rstrip("/")
        self._client_id, self._openid = str(config["client_id"]), config["openid"] is True
        self._district_id = str(config.get("district_id") or "")
        secret = str(config["client_secret"])
        self._basic = Authorization.basic(self._client_id, secret, hosts=[host_of(self._site)])
        client = Client(client_id=self._client_id, client_secret=secret, refusal_word=vendor.refusal_word)
        self._client = OAuth(transport, client, pkce=vendor.PKCE)

    def authorize(self, request: AuthorizeRequest) -> str:
        """With the district's id Clever does not ask which school somebody is of."""
        return self._client.address(
            vendor.authorize_url(self._site),
            request,
            scope=vendor.OPENID_SCOPE if self._openid else "",
            nonce=request.nonce if self._openid else "",
            district_id=request.tenant or self._district_id,
        )

    def exchange(self, callback: Callback) -> SourceIdentity:
        """Who it is says `/me`; the id token, where Clever gives one, must agree."""
        tokens = self._client.tokens(vendor.tokens_url(self._site), callback)
        me = vendor.record(self._get(tokens, vendor.me_url(self._api)), "who signed in")
        user_id, district_id = (vendor.id_in(me, name, "who signed in") for name in ("id", "district"))
        if self._openid:
            self._agree(tokens, callback, user_id, district_id)
        user = self._user(tokens, user_id, district_id)
        return SourceIdentity(
            issuer=self._site,
            client_id=self._client_id,
            subject=user_id,
            person=person(user_id, user),
            tenant=district_id,
            administers=administers(user),
        )

    def tenants(self) -> Sequence[str]:
        """Districts of which the application has a token; the tokens themselves go nowhere."""
        pages = self._transport.pages(
            vendor.tokens_url(self._site), params=vendor.DISTRICT_TOKENS, authorization=self._basic,
            next_url=vendor.next_page,
        )  # fmt: skip
        return list(dict.fromkeys(one for page in pages for one in vendor.districts_on(page)))

    def _user(self, tokens: Tokens, user_id: str, district_id: str) -> Mapping[str, Any]:
        """What the district shares; nothing at all blocks nobody (Clever's certification)."""
        answer = self._get(tokens, vendor.user_url(self._api, user_id))
        if answer.status in vendor.WITHHELD:
            return {}
        user = vendor.record(answer, "a user")
        if vendor.id_in(user, "id", "a user") != user_id or user.get("district", district_id) != district_id:
            raise BrokeContract("Clever answered about another person than the one who signed in. Tell Clever.")
        return user

    def _agree(self, tokens: Tokens, callback: Callback, user_id: str, district_id: str) -> None:
        """The nonce binds the token to this browser; without it a caught code could be put into another's sign-in."""
        claims = verified(
            self._transport, self._clock, discover(self._transport, self._site), tokens.id_token,
            client_id=self._client_id, nonce=callback.nonce, access_token=tokens.access_token,
        )  # fmt: skip
        if (claims["sub"], claims.get("district", district_id)) != (user_id, district_id):
            raise BrokeContract("Clever's ID token names another person than its API. Tell Clever.")

    def _get(self, tokens: Tokens, url: str) -> Any:
        bearer = Authorization.bearer(tokens.access_token, hosts=[host_of(self._api)])
        return self._transport.request("GET", url, authorization=bearer, accept=vendor.WITHHELD)
