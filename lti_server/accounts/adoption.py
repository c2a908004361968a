"""A new connection takes over who came by a revoked one, while that one's data is still in quarantine.

What is taken over is who somebody is at the provider: the pupil's progress is found again, and names come with the next
launch or class list. What is not taken over in time stays where it is until its disposal, and whoever comes back
afterwards is somebody new (contracts-and-disclosure.md 4, Clever).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import Conflict
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.privacy import grants, log
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import GrantState

_ENDED = sa.text(
    "SELECT r.id, r.dispose_by, r.adopted_by_grant_id, g.provider FROM revocation r JOIN grants g ON g.id = r.grant_id"
    " WHERE r.grant_id = :former AND r.acknowledged_at IS NOT NULL ORDER BY r.epoch DESC LIMIT 1 FOR UPDATE OF r"
)
_PROVIDER = sa.text("SELECT provider, created_at FROM grants WHERE id = :grant")
# Only whom the new connection will know by the same key: the same issuer and client. Whoever came by it meanwhile is a
# person of their own already, and nobody joins two people here (law 6). A person who was erased stays so.
_ADOPT = sa.text(
    """
UPDATE identity i SET grant_id = :to, ended_at = NULL
FROM registration r, person p
WHERE i.grant_id = :former AND i.ended_at >= (SELECT ended_at FROM grants WHERE id = :former)
  AND r.grant_id = :to AND (r.issuer, r.client_id) = (i.issuer, i.client_id)
  AND p.id = i.person_id AND p.key_destroyed_at IS NULL
  AND NOT EXISTS (SELECT FROM identity o WHERE o.subject_hash = i.subject_hash AND o.issuer = i.issuer
    AND o.client_id = i.client_id AND o.ended_at IS NULL)
"""
)
_LEFT = sa.text("SELECT count(*) FROM identity WHERE grant_id = :former")
_ADOPTED = sa.text("UPDATE revocation SET adopted_by_grant_id = :to WHERE id = :id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """How many ways in were taken over, and how many stay in quarantine."""

    identities: int
    left: int
    until: date


class Adopt:
    """Takes over, once, explicitly, and with an entry in the log."""

    def __init__(self, database: Database, district: Callable[[Connection], District], clock: Clock) -> None:
        self._database = database
        self._district = district
        self._clock = clock

    def __call__(self, district_id: DistrictId, former: GrantId, to: GrantId, *, by: str, reason: str) -> Adopted:
        """Let the grant `to` take over who came by the grant `former`.

        Raises:
            NotFound: there is no such grant.
            Conflict: the former is not revoked, was taken over, or its time is over; the new one is not in force, or
                for something else.
        """
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            until = self._may(connection, district, former, to)
            identities = connection.execute(_ADOPT, {"former": former, "to": to}).rowcount
            left = int(connection.execute(_LEFT, {"former": former}).scalar_one())
            entry = log.entry(
                district.keys, at=self._clock.now(), actor=by, act="grant adopt", decision="allowed",
                purpose="operation", object_id=to, interest=log.Interest.OPERATION, population="district",
                payload={"former": str(former), "reason": reason, "identities": identities, "left": left},
            )  # fmt: skip
            log.record(connection, entry)
        return Adopted(identities=identities, left=left, until=until)

    def _may(self, connection: Connection, district: District, former: GrantId, to: GrantId) -> date:
        standing = {one: grants.standing_of(connection, one) for one in sorted((former, to))}
        ended = connection.execute(_ENDED, {"former": former}).one_or_none()
        if standing[former].state is not GrantState.REVOKED or ended is None:
            raise Conflict("Only what a revoked connection has left, and what is not disposed of yet, is taken over.")
        if standing[to].state is not GrantState.ACTIVE:
            raise Conflict("The new connection must be in force before it takes anything over.")
        new = connection.execute(_PROVIDER, {"grant": to}).one()
        if new.provider != ended.provider:
            raise Conflict("The new connection is to another kind of provider, so it knows nobody by the same id.")
        if ended.adopted_by_grant_id is not None:
            raise Conflict("Another connection has taken this over already.")
        today = self._clock.now().astimezone(district.zone).date()
        if ended.dispose_by is None:
            raise Conflict("The contract sets no time for it. Whoever comes back is somebody new.")
        if today > ended.dispose_by:
            raise Conflict("The time for taking this over has ended. Whoever comes back is somebody new.")
        connection.execute(_ADOPTED, {"to": to, "id": ended.id})
        until: date = ended.dispose_by
        return until
