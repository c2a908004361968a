"""Chalk as an OpenID provider: a recording with a signed ID token, and a sign-in plugin that keeps every promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from joserfc import jwt
from joserfc.jwk import RSAKey

from lti_server.providers import (
    AuthorizeRequest,
    Callback,
    Capability,
    Clock,
    ConfigField,
    ConfigKind,
    ConfigValues,
    Manifest,
    PersonRole,
    SourceIdentity,
    SourcePerson,
    Transport,
    standard_fields,
)
from lti_server.providers.oauth import Client, OAuth, Tokens
from lti_server.providers.oidc import OpenIdProvider, discover, verified
from lti_server.testing import Exchange, LoginProviderContract

ISSUER = "https://id.chalk.example"
OPENID_CONFIG: dict[str, object] = {"issuer": ISSUER, "client_id": "client-of-the-test", "client_secret": "hush-hush"}
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
MADE = int(LoginProviderContract.now.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "sub": "u-4711", "aud": "client-of-the-test", "iat": MADE, "exp": MADE + 3_600,
    "nonce": LoginProviderContract.nonce, "given_name": "Adelheid", "email": "ada@school.example",
    "email_verified": True,
}  # fmt: skip
OPENID_SIGN_IN = [
    Exchange(
        url=f"{ISSUER}/.well-known/openid-configuration",
        body={
            "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        },
    ),
    Exchange(
        method="POST",
        url=f"{ISSUER}/token",
        body={
            "access_token": "token-of-the-recording", "token_type": "Bearer",
            "id_token": jwt.encode({"alg": "RS256", "kid": "one"}, CLAIMS, KEY),
        },
    ),
    Exchange(url=f"{ISSUER}/keys", body={"keys": [KEY.as_dict(private=False)]}),
]  # fmt: skip


class ChalkOpenId:
    """Split into steps, each of which a test can get wrong."""

    manifest: ClassVar[Manifest] = Manifest(
        name="chalk-openid",
        version="1.0",
        spi_version=(1, 1),
        capabilities=frozenset({Capability.LOGIN}),
        config=(
            ConfigField(name="issuer", kind=ConfigKind.URL),
            ConfigField(name="client_id"),
            ConfigField(name="client_secret", secret=True),
        ),
        hosts=("{issuer}",),
        fields=standard_fields("given_name", "email"),
    )

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self.transport, self.clock = transport, clock
        self.client_id = str(config["client_id"])
        self.client = OAuth(
            transport, Client(client_id=self.client_id, client_secret=str(config["client_secret"])), pkce=True
        )

    def authorize(self, request: AuthorizeRequest) -> str:
        endpoint = self.provider().authorization_endpoint
        return self.client.address(endpoint, request, scope="openid email", nonce=request.nonce)

    def exchange(self, callback: Callback) -> SourceIdentity:
        provider = self.provider()
        tokens = self.client.tokens(provider.token_endpoint, callback)
        claims = self.claims(provider, tokens, callback)
        return SourceIdentity(
            issuer=provider.issuer,
            client_id=self.client_id,
            subject=str(claims["sub"]),
            person=self.person(claims),
            email_verified=self.is_verified(claims),
        )

    def claims(self, provider: OpenIdProvider, tokens: Tokens, callback: Callback) -> Mapping[str, Any]:
        return verified(
            self.transport, self.clock, provider, tokens.id_token, client_id=self.client_id, nonce=callback.nonce
        )

    def person(self, claims: Mapping[str, Any]) -> SourcePerson:
        name, email = claims.get("given_name"), claims.get("email")
        return SourcePerson(
            source_id=str(claims["sub"]),
            role=PersonRole.OTHER,
            given_name=name if isinstance(name, str) else "",
            email=email if isinstance(email, str) else "",
        )

    def is_verified(self, claims: Mapping[str, Any]) -> bool:
        return claims.get("email_verified") is True

    def provider(self) -> OpenIdProvider:
        return discover(self.transport, ISSUER)
