"""Back-channel logout: a provider says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from lti_server.providers import BrokeContract, Clock, RejectedCredentials, Signal, SignalKind, SignalRequest, Transport
from lti_server.providers.oidc import ALGORITHMS, OpenIdProvider
from lti_server.providers.security_events import Claimed, check_signature, claimed

EVENT = "http://schemas.openid.net/event/backchannel-logout"
FORM = "application/x-www-form-urlencoded"
# Logout tokens of providers from before the type was named (2.4) have none, or that of any token.
TYPES = frozenset({"", "jwt", "logout+jwt", "application/logout+jwt"})
LATE = timedelta(minutes=10)


def logout(
    request: SignalRequest,
    *,
    client_id: str,
    provider: Callable[[], OpenIdProvider],
    transport: Transport,
    clock: Clock,
) -> Signal:
    """The logout of one person, or of one sign-in of theirs (2.6).

    Raises:
        RejectedCredentials: it is not from the provider, not for this client, too old, or no logout token.
        BrokeContract: it says of nobody. RateLimited, Unavailable: the provider's keys cannot be read.
    """
    message = claimed(_token(request))
    made = _checked(message, client_id, clock)
    found = provider()
    if message.claims.get("iss") != found.issuer:
        raise RejectedCredentials("The logout is from another provider (iss).")
    check_signature(transport, found.jwks_uri, message)
    subject, session = _text(message, "sub"), _text(message, "sid")
    if not subject and not session:
        raise BrokeContract("The logout names neither a person nor a session (sub, sid).")
    return Signal(
        kind=SignalKind.SESSIONS_REVOKED,
        signal_id=message.id,
        issuer=found.issuer,
        occurred_at=made,
        subject=subject,
        provider_session_id=session,
    )


def _token(request: SignalRequest) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise RejectedCredentials("A logout is a form with a logout_token.")
    try:
        form = parse_qsl(request.body.decode("ascii"), max_num_fields=20)
    except ValueError:
        raise RejectedCredentials("A logout is a form with a logout_token.") from None
    tokens = [value for name, value in form if name == "logout_token"]
    if len(tokens) != 1:
        raise RejectedCredentials("A logout is a form with one logout_token.")
    return tokens[0].encode()


def _checked(message: Claimed, client_id: str, clock: Clock) -> datetime:
    """What can be refused without asking the provider for anything."""
    if message.header.get("alg") not in ALGORITHMS or str(message.header.get("typ") or "").lower() not in TYPES:
        raise RejectedCredentials("This is no logout token (alg, typ).")
    if not message.is_for(client_id):
        raise RejectedCredentials("The logout is for another client (aud).")
    if EVENT not in message.events or "nonce" in message.claims:
        raise RejectedCredentials("This is a token for something else (events, nonce).")
    until = message.claims.get("exp")
    if until is not None and not (type(until) in (int, float) and clock.now() < _moment(until)):
        raise RejectedCredentials("The logout is too old (exp).")
    return message.issued(clock, late=LATE)


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise RejectedCredentials("The logout is too old (exp).") from None


def _text(message: Claimed, name: str) -> str:
    said = message.claims.get(name, "")
    if not isinstance(said, str) or len(said) > 255:
        raise BrokeContract(f"The logout names somebody in a way that cannot be read ({name}).")
    return said
