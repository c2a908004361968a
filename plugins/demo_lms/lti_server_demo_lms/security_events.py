"""Security events (RFC 8417): the platform says by itself that it removed the tool, or signed somebody out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import requests
from joserfc import jwt

from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.world import District, Person

TYPE = "secevent+jwt"
MEDIA_TYPE = "application/secevent+jwt"
TIMEOUT_S = 10.0
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
# No standard has an event for a tool that was removed from a platform, so this one is the demo's own.
TOOL_REMOVED = "urn:lti-server-demo-lms:event-type:tool-removed"
EVENTS: Mapping[str, str] = {
    TOOL_REMOVED: "grant_revoked",
    CAEP + "session-revoked": "sessions_revoked",
    RISC + "sessions-revoked": "sessions_revoked",
    CAEP + "credential-change": "credential_changed",
    RISC + "account-disabled": "account_disabled",
    RISC + "account-enabled": "account_enabled",
    RISC + "account-purged": "account_purged",
    SSF + "verification": "verification",
}
"""Event types that are sent, and what each means to a tool."""


def claims(parts: Parts, district: District, event: str, person: Person | None = None) -> dict[str, Any]:
    """What an event says: without `person` it is about the whole tool in this district."""
    now_s = int(time.time())
    issuer = parts.issuer(district)
    subject = {} if person is None else {"sub_id": {"format": "iss_sub", "iss": issuer, "sub": person.id}}
    return {
        "iss": issuer,
        "aud": district.client_id,
        "iat": now_s,
        "jti": str(uuid4()),
        "toe": now_s,
        "events": {event: {}},
        **subject,
    }


def signed_event(parts: Parts, said: Mapping[str, Any], *, typ: str = TYPE) -> str:
    """Explicitly typed, so that no launch or notice can be taken for an event (RFC 8417, 2.3)."""
    header = {"alg": "RS256", "kid": parts.key.kid, "typ": typ}
    return jwt.encode(header, dict(said), parts.key.current, algorithms=["RS256"])


def send(address: str, event: str) -> requests.Response:
    """Push an event to the tool (RFC 8935)."""
    with requests.Session() as session:
        # A proxy of the environment cannot reach a tool on this computer.
        session.trust_env = False
        headers = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}
        return session.post(address, data=event, headers=headers, timeout=TIMEOUT_S)
