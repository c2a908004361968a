"""Cross-Account Protection: what Google says by itself about an account (RISC over RFC 8417 security event tokens)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lti_server.providers import BrokeContract, Clock, RejectedCredentials, Signal, SignalKind, SignalRequest, Transport
from lti_server.providers.security_events import Claimed, check_signature, claimed

DOCUMENT = "https://accounts.google.com/.well-known/risc-configuration"
DOCUMENT_S = 24 * 3600
# Google sends a message again for a limited time, without an `exp`: a repeat is known by its id for longer than this.
LATE = timedelta(days=7)
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
OAUTH = "https://schemas.openid.net/secevent/oauth/event-type/"
VERIFICATION = RISC + "verification"
DISABLED = RISC + "account-disabled"
KINDS: Mapping[str, SignalKind] = {
    RISC + "sessions-revoked": SignalKind.SESSIONS_REVOKED,
    OAUTH + "tokens-revoked": SignalKind.TOKENS_REVOKED,
    DISABLED: SignalKind.ACCOUNT_DISABLED,
    RISC + "account-enabled": SignalKind.ACCOUNT_ENABLED,
    RISC + "account-credential-change-required": SignalKind.CREDENTIAL_CHANGED,
    RISC + "account-purged": SignalKind.ACCOUNT_PURGED,
}
"""`token-revoked` is about one refresh token, and none is ever asked for or kept."""
BULK = "bulk-account"
LONGEST_NOTE = 100


def signals(
    request: SignalRequest, *, client_id: str, issuer: str, transport: Transport, clock: Clock
) -> Iterator[Signal]:
    """The known events of one message; `issuer` is that of identities, which Google writes differently here.

    Raises:
        RejectedCredentials: it is not from Google, not for this client, or too old.
        BrokeContract: it names nobody, or has no id. RateLimited, Unavailable: Google's keys cannot be read.
    """
    message = claimed(request.body)
    if message.header.get("alg") != "RS256" or not isinstance(message.header.get("kid"), str):
        raise RejectedCredentials("This is no security event of Google (alg, kid).")
    if not message.is_for(client_id):
        raise RejectedCredentials("The event is for another client (aud).")
    made, events = message.issued(clock, late=LATE), message.events
    named, jwks_uri = _published(transport)
    if message.claims.get("iss") != named:
        raise RejectedCredentials("The event is from somebody else (iss).")
    check_signature(transport, jwks_uri, message)
    for name, event in events.items():
        if name == VERIFICATION or name in KINDS:
            yield _signal(message, name, event, issuer=issuer, named=named, made=made)


def _published(transport: Transport) -> tuple[str, str]:
    said = transport.public_document(DOCUMENT, max_age_s=DOCUMENT_S).json()
    issuer, jwks_uri = (said.get("issuer"), said.get("jwks_uri")) if isinstance(said, dict) else (None, None)
    if not isinstance(issuer, str) or not isinstance(jwks_uri, str) or not issuer or not jwks_uri:
        raise BrokeContract("Google's document for security events lacks its issuer or its keys.")
    return issuer, jwks_uri


def _signal(
    message: Claimed, name: str, event: Mapping[str, Any], *, issuer: str, named: str, made: datetime
) -> Signal:
    if name == VERIFICATION:
        return Signal(
            kind=SignalKind.VERIFICATION, signal_id=message.id, issuer=issuer, occurred_at=made,
            note=_note(event.get("state")),
        )  # fmt: skip
    reason = _note(event.get("reason")) if name == DISABLED else ""
    return Signal(
        kind=SignalKind.ACCOUNT_SUSPECT if reason == BULK else KINDS[name],
        signal_id=message.id,
        issuer=issuer,
        occurred_at=made,
        subject=_subject(event.get("subject"), {issuer, named}),
        note=reason,
    )


def _subject(said: object, issuers: set[str]) -> str:
    """Whom an event is about: by `iss` and `sub`, never by an e-mail address."""
    subject = said.get("sub") if isinstance(said, dict) and said.get("iss") in issuers else None
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise BrokeContract("The event does not name an account of Google (subject).")
    return subject


def _note(said: object) -> str:
    return said[:LONGEST_NOTE] if isinstance(said, str) else ""
