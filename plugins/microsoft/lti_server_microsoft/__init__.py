"""Signing in with Microsoft school and work accounts: one OpenID provider for many tenants, each its own issuer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from lti_server_oidc import OpenIdLogin

from lti_server.providers import (
    AuthorizeRequest,
    BrokeContract,
    Capability,
    ConfigField,
    Manifest,
    SourceIdentity,
    standard_fields,
)
from lti_server.providers.oidc import OpenIdProvider, discover
from lti_server_microsoft.mapping import FIELDS, person

AUTHORITY = "https://login.microsoftonline.com/organizations/v2.0"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Microsoft(OpenIdLogin):
    """Accounts of a tenant of Microsoft Entra. Whose they are is `tid` and `oid`; an e-mail there is anybody's word."""

    manifest: ClassVar[Manifest] = Manifest(
        name="microsoft",
        version="0.1.0",
        spi_version=(1, 1),
        title="Microsoft",
        capabilities=frozenset({Capability.LOGIN, Capability.REVOKE}),
        config=(
            ConfigField(name="client_id", help="The application (client) id in Microsoft Entra."),
            ConfigField(name="client_secret", secret=True, help="The value of a client secret there."),
            ConfigField(name="tenant_id", required=False, help="The directory (tenant) id of your district."),
        ),
        tenant="tenant_id",
        hosts=("login.microsoftonline.com",),
        fields=standard_fields(*FIELDS),
    )

    def provider(self) -> OpenIdProvider:
        """For several tenants the document names a template where an issuer stands."""
        return discover(self.transport, AUTHORITY, named=TEMPLATE)

    def hints(self, request: AuthorizeRequest) -> Mapping[str, str]:
        return {"prompt": "select_account"}

    def fits_issuer(self, issuer: str, claims: Mapping[str, Any]) -> bool:
        """The issuer is the template with the token's own tenant in its place; a consumer's tenant is none."""
        tid = claims.get("tid")
        known = isinstance(tid, str) and ID.fullmatch(tid) is not None and tid != CONSUMERS
        return known and issuer == TEMPLATE.replace("{tenantid}", str(tid))

    def identity(self, provider: OpenIdProvider, claims: Mapping[str, Any]) -> SourceIdentity:
        """By `oid` within the tenant: `sub` differs from application to application.

        Raises:
            BrokeContract: the token has no `oid`.
        """
        oid = claims.get("oid")
        if not isinstance(oid, str) or not ID.fullmatch(oid):
            raise BrokeContract("The ID token has no object id of an account.")
        return SourceIdentity(
            issuer=str(claims["iss"]),
            client_id=self.client_id,
            subject=oid,
            person=person(claims, oid),
            tenant=str(claims["tid"]),
        )
