"""Ending the sessions that a provider's signal is about: one person's by one grant, or all of the grant."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.model import Subject
from lti_server.accounts.store import subject_hash
from lti_server.accounts.withdrawal import close_sessions
from lti_server.ids import GrantId
from lti_server.privacy.crypto import DistrictKeys
from lti_server.providers.records import Signal

_END = sa.text(
    "UPDATE session SET ended_at = :at, ticket_expires_at = least(ticket_expires_at, :at)"
    " WHERE grant_id = :grant AND ended_at IS NULL AND (CAST(:subject AS bytea) IS NULL OR person_id IN"
    " (SELECT person_id FROM identity WHERE grant_id = :grant AND subject_hash = :subject)) RETURNING id"
)


def end_sessions(
    connection: Connection, keys: DistrictKeys, grant_id: GrantId, signal: Signal, client_id: str, at: datetime
) -> int:
    """Sessions with their tickets and tokens; nothing else of the person is touched (law 5). How many there were."""
    who = Subject(provider="", issuer=signal.issuer, client_id=client_id, subject=signal.subject)
    hashed = subject_hash(keys, who) if signal.subject else None
    ended = list(connection.execute(_END, {"grant": grant_id, "at": at, "subject": hashed}).scalars())
    close_sessions(connection, ended)
    return len(ended)
