"""What a provider said of a connection by itself, and what was done: for the page of the connection, and of nobody.

Signals leave receipts, which are kept for 90 days; what was inferred from a list or an answer stands in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import GrantId
from lti_server.privacy.inference import BY
from lti_server.providers.records import SignalKind
from lti_server.web.languages import N_

MOST = 50
_K = SignalKind
INFERRED: Mapping[str, str] = MappingProxyType(
    {"grant suspend": N_("suspended"), "grant resume": N_("resumed: what had suspended it is over")}
)
KINDS: Mapping[str, str] = MappingProxyType(
    {
        _K.GRANT_REVOKED: N_("Its leave was taken away there"),
        _K.TOKENS_REVOKED: N_("Tokens were taken back there"),
        _K.SESSIONS_REVOKED: N_("Somebody was signed out there"),
        _K.ACCOUNT_DISABLED: N_("An account was closed there"),
        _K.ACCOUNT_ENABLED: N_("An account was opened again there"),
        _K.ACCOUNT_PURGED: N_("An account was deleted there"),
        _K.CREDENTIAL_CHANGED: N_("A password has to be changed there"),
        _K.ACCOUNT_SUSPECT: N_("The provider doubts an account; look whether all is well"),
        _K.DATA_DELETION: N_("Somebody asked there for a deletion"),
        _K.VERIFICATION: N_("The provider tried whether it is heard"),
    }
)
INFERENCE = N_("Not said, but seen: in its list of school systems, or in its answers")
OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "revoked": N_("this connection was revoked"),
        "suspended": N_("this connection was suspended"),
        "sessions_ended": N_("sessions ended"),
        "held": N_("the account lets nobody in until the provider opens it again"),
        "lifted": N_("the account lets its person in again"),
        "way_ended": N_("the account is a way in no more"),
        "erasure_asked": N_("you have a request to erase; see the requests"),
        "noted": N_("noted"),
        "nobody": N_("nobody here has this account"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that came. `kind` and `outcome` are words of `KINDS` and `OUTCOMES`, to be translated."""

    at: datetime
    kind: str
    outcome: str
    sessions: int = 0


def said(connection: Connection, grant_id: GrantId) -> list[Said]:
    """The newest of what came for a grant of the entered district, newest first."""
    values = {"grant": grant_id, "most": MOST, "by": BY, "acts": list(INFERRED)}
    signals = [
        Said(at=row.received_at, kind=KINDS[row.kind], outcome=OUTCOMES[row.outcome], sessions=row.sessions)
        for row in connection.execute(_RECEIPTS, values)
    ]
    inferred = [
        Said(at=row.at, kind=INFERENCE, outcome=INFERRED[row.act]) for row in connection.execute(_INFERRED, values)
    ]
    return sorted([*signals, *inferred], key=lambda one: one.at, reverse=True)[:MOST]


_RECEIPTS = sa.text(
    "SELECT received_at, kind, outcome, sessions FROM signal_receipt WHERE grant_id = :grant"
    " ORDER BY received_at DESC, id LIMIT :most"
)
_INFERRED = sa.text(
    "SELECT at, act FROM log_entry WHERE object_id = :grant AND actor = :by AND act = ANY (:acts)"
    " AND decision = 'allowed' ORDER BY at DESC, id DESC LIMIT :most"
)
