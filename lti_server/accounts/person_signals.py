"""What a provider's signal does to one person: sessions end at once, and a way in is held, lifted or ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import kept_tokens
from lti_server.accounts.model import Subject
from lti_server.accounts.person_sessions import provider_session_hash
from lti_server.accounts.store import lock_subject, subject_hash
from lti_server.accounts.way_states import WayStates
from lti_server.accounts.withdrawal import close_sessions
from lti_server.ids import GrantId, IdentityId, PersonId
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.privacy.signals import Acted
from lti_server.providers.records import Signal, SignalKind

_K = SignalKind
ENDS_WAY = frozenset({_K.GRANT_REVOKED, _K.ACCOUNT_PURGED, _K.DATA_DELETION})
TAKES_TOKENS = frozenset({_K.TOKENS_REVOKED, _K.ACCOUNT_DISABLED})
LEAVES_SESSIONS = frozenset({_K.ACCOUNT_ENABLED, _K.ACCOUNT_SUSPECT, _K.VERIFICATION})
FROM_AN_LMS = "lti"

AskErasure = Callable[[Connection, District, PersonId], UUID]
"""Opens the district's case of an erasure, and says which it is; one that is open already is it."""


class PersonSignals:
    """Acts on the caller's transaction. No field of anybody is read or written."""

    def __init__(self, ask_erasure: AskErasure, states: WayStates) -> None:
        self._ask_erasure = ask_erasure
        self._states = states

    def __call__(
        self,
        connection: Connection,
        district: District,
        grant_id: GrantId,
        signal: Signal,
        client_id: str,
        at: datetime,
    ) -> Acted:
        """Do it, and say what was done. Somebody who signs in at this moment is let in before, or not at all."""
        known = hashes(district.keys, signal, client_id)
        if known["subject"] is not None:
            lock_subject(connection, known["subject"])
        values = {"grant": grant_id, "at": at, **known}
        who = connection.execute(_WHO, values).one_or_none()
        if who is None and (signal.subject or signal.provider_session_id) and not _of_lms(connection, grant_id):
            return Acted(outcome="nobody")
        sessions = 0 if signal.kind in LEAVES_SESSIONS else _end(connection, values)
        if who is None or who.provider == FROM_AN_LMS:
            # Whoever comes from an LMS comes in by its launch: it says there who may (law 5).
            return Acted(outcome="noted" if signal.kind in LEAVES_SESSIONS else "sessions_ended", sessions=sessions)
        acted = Acted(outcome="sessions_ended", sessions=sessions, person_id=PersonId(who.person_id))
        return self._way_in(connection, district, who, signal, acted, at) if signal.subject else acted

    def _way_in(
        self, connection: Connection, district: District, who: sa.Row[Any], signal: Signal, acted: Acted, at: datetime
    ) -> Acted:
        """What becomes of the account as a way in; the journal's line is the last thing that is done."""
        if signal.kind is _K.ACCOUNT_ENABLED:
            tell = self._states.free(connection, district.id, who.id, at, said=signal.occurred_at)
            return replace(acted, outcome="lifted" if tell else "noted", after=tell)
        if signal.kind in LEAVES_SESSIONS:
            return replace(acted, outcome="noted")
        if signal.kind in TAKES_TOKENS:
            kept_tokens.forget(connection, who.id)
        if signal.kind is _K.ACCOUNT_DISABLED:
            self._states.hold(connection, district.id, who.id, at, said=signal.occurred_at)
            return replace(acted, outcome="held")
        if signal.kind not in ENDS_WAY:
            return acted
        case_id = None
        if signal.kind is _K.DATA_DELETION and who.stands:
            case_id = self._ask_erasure(connection, district, PersonId(who.person_id))
        self._states.end(connection, district.id, who.id, at)
        return replace(acted, outcome="way_ended" if case_id is None else "erasure_asked", case_id=case_id)

    def grants_of(self, connection: Connection, keys: DistrictKeys, signal: Signal, client_id: str) -> list[GrantId]:
        """By which grants of the entered district a signal's person, or session, is known; live ones first."""
        found = connection.execute(_GRANTS, hashes(keys, signal, client_id)).scalars()
        return [GrantId(one) for one in found]


def held(connection: Connection, identity_id: IdentityId) -> bool:
    """Whether the provider has this account disabled."""
    return connection.execute(_HELD, {"id": identity_id}).scalar_one() is True


def hashes(keys: DistrictKeys, signal: Signal, client_id: str) -> dict[str, bytes | None]:
    """By what a district knows whom a signal is about: an account (`subject`), or a sign-in (`session`)."""
    who = Subject(provider="", issuer=signal.issuer, client_id=client_id, subject=signal.subject)
    session = signal.provider_session_id
    return {
        "subject": subject_hash(keys, who) if signal.subject else None,
        "session": provider_session_hash(keys, signal.issuer, client_id, session) if session else None,
    }


def _of_lms(connection: Connection, grant_id: GrantId) -> bool:
    return connection.execute(_PROVIDER, {"grant": grant_id}).scalar_one_or_none() == FROM_AN_LMS


def _end(connection: Connection, values: dict[str, Any]) -> int:
    """Sessions with their tickets, tokens, pages and lessons. How many there were."""
    ended = list(connection.execute(_END, values).scalars())
    close_sessions(connection, ended)
    return len(ended)


_WHO = sa.text(
    "SELECT i.id, i.person_id, i.provider, p.wrapped_key IS NOT NULL AS stands"
    " FROM identity i JOIN person p ON p.id = i.person_id WHERE i.grant_id = :grant"
    " AND (i.subject_hash = :subject OR CAST(:subject AS bytea) IS NULL AND i.id IN (SELECT s.identity_id"
    " FROM session s WHERE s.grant_id = :grant AND s.provider_session_hash = :session))"
    " ORDER BY i.ended_at DESC NULLS FIRST, i.created_at DESC LIMIT 1"
)
# A logout of one sign-in that the provider did not name when it began is one of all of theirs.
_END = sa.text(
    "UPDATE session SET ended_at = :at, ticket_expires_at = least(ticket_expires_at, :at)"
    " WHERE grant_id = :grant AND ended_at IS NULL AND (CAST(:subject AS bytea) IS NULL OR person_id IN"
    " (SELECT person_id FROM identity WHERE grant_id = :grant AND subject_hash = :subject))"
    " AND (CAST(:session AS bytea) IS NULL OR EXISTS (SELECT FROM session o WHERE o.grant_id = :grant"
    " AND o.lesson_id IS NULL AND o.ended_at IS NULL AND o.identity_id = session.identity_id"
    " AND (o.id = session.id OR session.lesson_id IS NOT NULL AND session.created_at >= o.created_at)"
    " AND (o.provider_session_hash = :session"
    " OR o.provider_session_hash IS NULL AND CAST(:subject AS bytea) IS NOT NULL))) RETURNING id"
)
_GRANTS = sa.text(
    "SELECT i.grant_id FROM identity i WHERE i.provider <> 'lti' AND (i.subject_hash = :subject"
    " OR CAST(:subject AS bytea) IS NULL AND i.id IN (SELECT s.identity_id FROM session s"
    " WHERE s.provider_session_hash = :session AND s.ended_at IS NULL))"
    " GROUP BY i.grant_id ORDER BY bool_or(i.ended_at IS NULL) DESC, max(i.created_at) DESC"
)
_PROVIDER = sa.text("SELECT provider FROM grants WHERE id = :grant")
_HELD = sa.text("SELECT held_at IS NOT NULL FROM identity WHERE id = :id")
