"""Signing in with ClassLink: OAuth 2, then who it is by the id that the district gave, or by ClassLink's own."""

from __future__ import annotations

from typing import ClassVar

from lti_server.providers import (
    Authorization,
    AuthorizeRequest,
    Callback,
    Capability,
    Clock,
    ConfigField,
    ConfigKind,
    ConfigValues,
    LoginProvider,
    Manifest,
    SourceIdentity,
    Transport,
    standard_fields,
)
from lti_server.providers.oauth import Client, OAuth
from lti_server.providers.wire import host_of
from lti_server_classlink import vendor
from lti_server_classlink.mapping import FIELDS, person, subject


class ClassLink(LoginProvider):
    """One application at ClassLink, and the tenants that use it. No token is kept of a sign-in."""

    manifest: ClassVar[Manifest] = Manifest(
        name="classlink",
        version="0.1.0",
        spi_version=(1, 1),
        title="ClassLink",
        capabilities=frozenset({Capability.LOGIN}),
        config=(
            ConfigField(name="client_id", help="Of the application in ClassLink's developer console."),
            ConfigField(name="client_secret", secret=True, help="Its secret."),
            ConfigField(name="tenant_id", required=False, help="ClassLink's number of your district."),
            ConfigField(name="site", kind=ConfigKind.URL, default=vendor.SITE, help="Where people sign in."),
            ConfigField(name="api", kind=ConfigKind.URL, default=vendor.API, help="Where people are asked for."),
        ),
        tenant="tenant_id",
        hosts=("{site}", "{api}"),
        fields=standard_fields(*FIELDS),
    )

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._site, self._api = str(config["site"]).rstrip("/"), str(config["api"]).rstrip("/")
        self._client_id = str(config["client_id"])
        client = Client(
            client_id=self._client_id,
            client_secret=str(config["client_secret"]),
            authentication="client_secret_post",
            refusal_word=vendor.refusal_word,
        )
        self._client = OAuth(transport, client, pkce=vendor.PKCE)

    def authorize(self, request: AuthorizeRequest) -> str:
        """ClassLink asks for the district by itself, or knows it from LaunchPad."""
        return self._client.address(vendor.authorize_url(self._site), request, scope=vendor.SCOPE)

    def exchange(self, callback: Callback) -> SourceIdentity:
        """The code for a token, and the token for who it is."""
        tokens = self._client.tokens(vendor.token_url(self._site), callback)
        bearer = Authorization.bearer(tokens.access_token, hosts=[host_of(self._api)])
        info = vendor.record(self._transport.request("GET", vendor.info_url(self._api), authorization=bearer))
        tenant_id, user_id = (vendor.number_in(info, name) for name in ("TenantId", "UserId"))
        return SourceIdentity(
            issuer=self._site,
            client_id=self._client_id,
            subject=subject(tenant_id, user_id, info),
            person=person(tenant_id, user_id, info),
            tenant=tenant_id,
        )
