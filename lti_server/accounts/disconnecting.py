"""Leaving a provider: its account leads to somebody no more, its sessions end, and its token is given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import kept_tokens
from lti_server.accounts.linking import WayIn, may_remove
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.way_states import WayStates
from lti_server.accounts.withdrawal import close_sessions
from lti_server.db import Database
from lti_server.errors import Conflict, NotFound
from lti_server.ids import Clock, IdentityId, PersonId
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.upstream import GiveBack

ACT = "account disconnect"
FROM_AN_LMS = "lti"


class Disconnect:
    """Ends a way in that its owner does not want any more. What it had brought stays with them, for they stay."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        states: WayStates,
        give_back: GiveBack,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._states = states
        self._give_back = give_back
        self._clock = clock

    def may(self, connection: Connection, person_id: PersonId) -> frozenset[UUID]:
        """Which identities somebody may leave now: none that their school's LMS leads in by, and never the last."""
        ways = _ways(connection, person_id)
        return frozenset(one.id for one in ways if _may(ways, one.id))

    def __call__(self, who: OwnSession, identity_id: UUID) -> None:
        """End it at once: the token goes back to the provider by the worker, again and again until it has it.

        Raises:
            NotFound: it is no way in of theirs that stands. Conflict: it is the last one.
        """
        now, wanted = self._clock.now(), IdentityId(identity_id)
        with self._database.tenant(who.district_id) as connection:
            district = self._district(connection)
            connection.execute(_LOCK, {"person": who.person_id})  # two at once take the last two one after the other
            ways = _ways(connection, who.person_id)
            row = next((one for one in ways if one.id == wanted and one.over is False), None)
            if row is None or row.provider == FROM_AN_LMS:
                raise NotFound("Choose one of the accounts that your page shows.")
            if not _may(ways, wanted):
                raise Conflict("This is your last way in. Connect another account first, or ask your district.")
            token = kept_tokens.take(connection, district.keys, wanted, now)
            if token is not None:
                self._give_back.keep_of_one(connection, district, row.grant_id, row.provider, token)
            ended = list(connection.execute(_END_SESSIONS, {"id": wanted, "at": now}).scalars())
            close_sessions(connection, ended)
            said = {"provider": row.provider, "sessions": len(ended), "token": "given back" if token else "none"}
            entry = log.entry(
                district.keys, at=now, actor=f"person:{who.person_id}", act=ACT, decision="allowed",
                purpose="operation", object_id=who.person_id, population="person", interest=log.Interest.OWN_DATA,
                payload=said,
            )  # fmt: skip
            log.record(connection, entry)
            self._states.end(connection, who.district_id, wanted, now)


def _ways(connection: Connection, person_id: PersonId) -> list[sa.Row[Any]]:
    return list(connection.execute(_WAYS, {"person": person_id}))


def _may(ways: list[sa.Row[Any]], identity_id: UUID) -> bool:
    mine = [WayIn(id=IdentityId(one.id), stands=one.stands) for one in ways]
    leaves = any(one.id == identity_id and not one.over and one.provider != FROM_AN_LMS for one in ways)
    return leaves and may_remove(mine, IdentityId(identity_id))


_LOCK = sa.text("SELECT FROM person WHERE id = :person FOR UPDATE")
_WAYS = sa.text(
    "SELECT i.id, i.provider, i.grant_id, i.ended_at IS NOT NULL AS over, i.ended_at IS NULL AND i.held_at IS NULL"
    " AND g.state = 'active' AND 'signin' = ANY (g.uses) AS stands"
    " FROM identity i JOIN grants g ON g.id = i.grant_id WHERE i.person_id = :person ORDER BY i.created_at, i.id"
)
_END_SESSIONS = sa.text(
    "UPDATE session SET ended_at = :at, ticket_expires_at = least(ticket_expires_at, :at)"
    " WHERE identity_id = :id AND ended_at IS NULL RETURNING id"
)
