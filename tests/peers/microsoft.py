"""Microsoft Entra as far as this server speaks to it: one directory, behind the address that serves them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.peers.openid import OpenIdPeer

HOST = "login.microsoftonline.com"
NORTH = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@dataclass
class MicrosoftPeer(OpenIdPeer):
    """The discovery document names a template where an issuer stands; a token names its own directory."""

    tenant: str = NORTH
    revokes: bool = False

    @property
    def issuer(self) -> str:
        return f"https://{HOST}/{self.tenant}/v2.0"

    def addresses(self) -> dict[str, str]:
        return {
            "issuer": f"https://{HOST}/{{tenantid}}/v2.0", "token_endpoint": f"https://{HOST}/token",
            "authorization_endpoint": f"https://{HOST}/organizations/oauth2/v2.0/authorize",
            "jwks_uri": f"https://{HOST}/oauth2/v3/certs",
        }  # fmt: skip

    def knows(self, sub: str, **claims: Any) -> None:
        """The account `sub` is the object id; a token has another subject for each application."""
        self.people[sub] = {**claims, "tid": self.tenant, "oid": sub, "sub": f"of this application: {sub}"}
