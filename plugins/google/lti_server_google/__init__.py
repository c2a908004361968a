"""Signing in with Google: an OpenID provider whose school systems are Workspace domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lti_server_oidc import OpenIdLogin

from lti_server.providers import (
    AuthorizeRequest,
    Capability,
    ConfigField,
    Manifest,
    Signal,
    SignalAnswers,
    SignalReceiver,
    SignalRequest,
    SignalStream,
    SourceIdentity,
    StreamState,
    standard_fields,
)
from lti_server.providers.oidc import OpenIdProvider, discover
from lti_server_google.mapping import FIELDS, person, tenant
from lti_server_google.signals import signals
from lti_server_google.streams import HOST, ServiceAccount, Stream

ISSUER = "https://accounts.google.com"
# Google's own reference names both spellings of the issuer in ID tokens.
ISSUERS = frozenset({ISSUER, "accounts.google.com"})


class Google(OpenIdLogin, SignalReceiver, SignalStream):
    """Accounts of a Workspace domain, and people's own, which have none.

    The `hd` claim decides which; the parameter of that name is a hint alone.
    """

    manifest: ClassVar[Manifest] = Manifest(
        name="google",
        version="0.1.0",
        spi_version=(1, 2),
        title="Google",
        capabilities=frozenset({Capability.LOGIN, Capability.REVOKE, Capability.SIGNALS, Capability.STREAMS}),
        config=(
            ConfigField(name="client_id", help="Of the OAuth client in the Google Cloud console."),
            ConfigField(name="client_secret", secret=True, help="Its secret."),
            ConfigField(name="domain", required=False, help="The Workspace domain of your district: district.example."),
        ),
        tenant="domain",
        own_accounts=True,
        answers=SignalAnswers.SECURITY_EVENT,
        hosts=("accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com", HOST),
        fields=standard_fields(*FIELDS),
    )

    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        """Google's security events; a logout there is none of them, and nobody is told of it."""
        return list(
            signals(request, client_id=self.client_id, issuer=ISSUER, transport=self.transport, clock=self.clock)
        )

    def register_stream(self, key: str, address: str) -> StreamState:
        """The events of a Cloud project, all of its clients together, go to one address."""
        return self._stream(key).register(address)

    def read_stream(self, key: str) -> StreamState:
        return self._stream(key).state()

    def verify_stream(self, key: str, note: str) -> None:
        self._stream(key).verify(note)

    def _stream(self, key: str) -> Stream:
        return Stream(self.transport, self.clock, ServiceAccount.read(key))

    def provider(self) -> OpenIdProvider:
        return discover(self.transport, ISSUER)

    def hints(self, request: AuthorizeRequest) -> Mapping[str, str]:
        """On a shared device the account is chosen anew, among those of the domain."""
        return {"hd": request.tenant, "prompt": "select_account"}

    def fits_issuer(self, issuer: str, claims: Mapping[str, Any]) -> bool:
        return issuer in ISSUERS

    def identity(self, provider: OpenIdProvider, claims: Mapping[str, Any]) -> SourceIdentity:
        """By `sub`, which never changes; a consumer account has no domain, and so no tenant."""
        return SourceIdentity(
            issuer=ISSUER,
            client_id=self.client_id,
            subject=str(claims["sub"]),
            person=person(claims),
            tenant=tenant(claims),
            email_verified=claims.get("email_verified") is True,
        )
