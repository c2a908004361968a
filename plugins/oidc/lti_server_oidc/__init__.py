"""Signing in with any OpenID provider: discovery, code flow with PKCE and nonce, verified ID token, logout there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from lti_server.providers import (
    AuthorizeRequest,
    Callback,
    Capability,
    Clock,
    ConfigField,
    ConfigKind,
    ConfigValues,
    GrantRevoker,
    LoginProvider,
    Manifest,
    Signal,
    SignalAnswers,
    SignalReceiver,
    SignalRequest,
    SourceIdentity,
    SourceToken,
    Transport,
    standard_fields,
)
from lti_server.providers.oauth import Client, OAuth
from lti_server.providers.oidc import OpenIdProvider, check_issuer, discover, verified
from lti_server_oidc.logout import logout
from lti_server_oidc.mapping import FIELDS, person, text

SCOPES = "openid profile email"


class OpenIdLogin(LoginProvider, GrantRevoker):
    """Signing in at one OpenID provider, which discovery describes. A subclass for a vendor says what differs there."""

    manifest: ClassVar[Manifest]

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self.config, self.transport, self.clock = config, transport, clock
        self.client_id = str(config["client_id"])
        self.client = OAuth(
            transport,
            Client(
                client_id=self.client_id,
                client_secret=str(config.get("client_secret") or ""),
                authentication=str(config.get("authentication") or "client_secret_basic"),
            ),
        )

    def authorize(self, request: AuthorizeRequest) -> str:
        return self.client.address(
            self.provider().authorization_endpoint,
            request,
            scope=str(self.config.get("scopes") or SCOPES),
            nonce=request.nonce,
            login_hint=request.login_hint,
            ui_locales=request.locale,
            **self.hints(request),
        )

    def exchange(self, callback: Callback) -> SourceIdentity:
        provider = self.provider()
        check_issuer(provider, callback)
        tokens = self.client.tokens(provider.token_endpoint, callback)
        claims = verified(
            self.transport, self.clock, provider, tokens.id_token, client_id=self.client_id, nonce=callback.nonce,
            access_token=tokens.access_token, fits=self.fits_issuer,
        )  # fmt: skip
        found = self.identity(provider, claims)
        return replace(found, tokens=tokens.kept(self.clock)) if provider.revocation_endpoint else found

    def revoke(self, token: SourceToken) -> None:
        """Where a provider has no such endpoint, there is nothing to do; then no token is handed on, either."""
        endpoint = self.provider().revocation_endpoint
        if endpoint:
            self.client.revoke(endpoint, token)

    def provider(self) -> OpenIdProvider:
        """What the discovery document says now."""
        return discover(self.transport, str(self.config["issuer"]))

    def hints(self, request: AuthorizeRequest) -> Mapping[str, str]:
        """Parameters of one vendor alone."""
        return {}

    def fits_issuer(self, issuer: str, claims: Mapping[str, Any]) -> bool:
        """Whether an ID token's issuer is the configured one, compared as text (Core 3.1.3.7, 2)."""
        return issuer == self.config["issuer"]

    def identity(self, provider: OpenIdProvider, claims: Mapping[str, Any]) -> SourceIdentity:
        """Who verified claims are of: by `sub` at the issuer, never by e-mail."""
        words = [word.strip() for word in str(self.config.get("teacher_words") or "").split(",") if word.strip()]
        tenant_claim = str(self.config.get("tenant_claim") or "")
        return SourceIdentity(
            issuer=provider.issuer,
            client_id=self.client_id,
            subject=str(claims["sub"]),
            person=person(claims, role_claim=str(self.config.get("role_claim") or ""), teacher_words=words),
            tenant=text(claims.get(tenant_claim)) if tenant_claim else "",
            email_verified=claims.get("email_verified") is True,
            provider_session_id=text(claims.get("sid")),
        )


class OpenIdConnect(OpenIdLogin, SignalReceiver):
    """Any OpenID provider, and what it says when somebody signs out there."""

    manifest: ClassVar[Manifest] = Manifest(
        name="oidc",
        version="0.1.0",
        spi_version=(1, 2),
        title="OpenID Connect",
        capabilities=frozenset({Capability.LOGIN, Capability.REVOKE, Capability.SIGNALS}),
        config=(
            ConfigField(name="issuer", kind=ConfigKind.URL, help="The issuer, as the provider writes it."),
            ConfigField(name="client_id", help="The id that the provider gave this server."),
            ConfigField(name="client_secret", secret=True, required=False, help="Its secret, if it has one."),
            ConfigField(
                name="authentication", kind=ConfigKind.CHOICE, default="client_secret_basic",
                choices=("client_secret_basic", "client_secret_post"), help="How the secret is sent.",
            ),
            ConfigField(name="scopes", default=SCOPES, help="What is asked for, with spaces between."),
            ConfigField(name="role_claim", required=False, help="The claim that says what somebody is."),
            ConfigField(name="teacher_words", required=False, help="Its words for teachers, with commas between."),
            ConfigField(name="tenant_claim", required=False, help="The claim that says which district."),
            ConfigField(name="tenant", required=False, help="Its value for your district."),
            ConfigField(name="endpoints", kind=ConfigKind.URL, required=False, help="A second host, of its endpoints."),
            ConfigField(name="keys", kind=ConfigKind.URL, required=False, help="A third host, of its key set."),
        ),
        tenant="tenant",
        answers=SignalAnswers.LOGOUT,
        hosts=("{issuer}", "{endpoints}", "{keys}"),
        fields=standard_fields(*FIELDS),
    )  # fmt: skip

    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        """A back-channel logout: one person's, or one sign-in's."""
        return [
            logout(
                request, client_id=self.client_id, provider=self.provider, transport=self.transport, clock=self.clock
            )
        ]
