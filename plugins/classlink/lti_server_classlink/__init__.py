"""ClassLink: signing in by OAuth 2, who it is by the district's id or ClassLink's own, and which tenants use it."""

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
    Misconfigured,
    SourceIdentity,
    TenantList,
    Transport,
    standard_fields,
)
from lti_server.providers.oauth import Client, OAuth
from lti_server.providers.wire import host_of
from lti_server_classlink import vendor
from lti_server_classlink.mapping import FIELDS, administers, person, subject


class ClassLink(LoginProvider, TenantList):
    """One application at ClassLink, and the tenants that use it. No token is kept of a sign-in."""

    manifest: ClassVar[Manifest] = Manifest(
        name="classlink",
        version="0.1.0",
        spi_version=(1, 2),
        title="ClassLink",
        capabilities=frozenset({Capability.LOGIN, Capability.TENANTS}),
        config=(
            ConfigField(name="client_id", help="Of the application in ClassLink's developer console."),
            ConfigField(name="client_secret", secret=True, help="Its secret."),
            ConfigField(name="tenant_id", required=False, help="ClassLink's number of your district."),
            ConfigField(
                name="partner_key", secret=True, required=False,
                help="Of the partner portal, to see which districts share their roster. See the README before.",
            ),
            ConfigField(name="site", kind=ConfigKind.URL, default=vendor.SITE, help="Where people sign in."),
            ConfigField(name="api", kind=ConfigKind.URL, default=vendor.API, help="Where people are asked for."),
            ConfigField(name="proxy", kind=ConfigKind.URL, default=vendor.PROXY, help="Where districts are listed."),
        ),
        tenant="tenant_id",
        names_administrators=True,
        hosts=("{site}", "{api}", "{proxy}"),
        fields=standard_fields(*FIELDS),
    )  # fmt: skip

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._site, self._api = str(config["site"]).rstrip("/"), str(config["api"]).rstrip("/")
        self._proxy, self._partner_key = str(config["proxy"]).rstrip("/"), str(config.get("partner_key") or "")
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
            administers=administers(info.get("Role")),
        )

    def tenants(self) -> Sequence[str]:
        """Tenants whose rosters the partner's key reaches; the tokens in the list go nowhere.

        The list has neither a count nor a next link, and a limit of ClassLink's own cannot be told from its end. So
        each page begins with the last row of the one before, and the list is over where nothing else comes.
        """
        if not self._partner_key:
            raise Misconfigured(["partner_key is missing, so ClassLink's list of districts cannot be read."])
        found: dict[str, None] = {}
        last, read = "", 0
        while read <= vendor.MOST_APPLICATIONS:
            rows = self._applications(max(0, read - 1))
            if last and (not rows or vendor.application_id(rows[0]) != last):
                raise BrokeContract(
                    "ClassLink's list of applications changed while it was read; it counts for nothing."
                )
            fresh = rows[1:] if last else rows
            if not fresh:
                return list(found)
            found.update((vendor.number_in(row, "tenant_id"), None) for row in fresh if vendor.is_on(row))
            last, read = vendor.application_id(fresh[-1]), read + len(fresh)
        raise BrokeContract(f"ClassLink's list of applications has more than {vendor.MOST_APPLICATIONS} rows.")

    def _applications(self, offset: int) -> list[Mapping[str, Any]]:
        answer = self._transport.request(
            "GET",
            vendor.applications_url(self._proxy),
            params={"limit": str(vendor.PAGE), "offset": str(offset)},
            authorization=Authorization.bearer(self._partner_key, hosts=[host_of(self._proxy)]),
        )
        return vendor.applications(answer)
