"""Grants: the district's leave for one connection, read at the moment of use (design 2, "Revocation")."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import Conflict, GrantRevoked, NotFound
from lti_server.ids import DistrictId, GrantId, new_id
from lti_server.privacy.grant_states import WITHDRAWN, GrantState, Standing, Use
from lti_server.privacy.tables import grants, revocation


def open_grant(
    connection: Connection, district_id: DistrictId, provider: str, now: datetime, *, state: str = "active",
    uses: Collection[Use] = tuple(Use),
) -> GrantId:  # fmt: skip
    """A new grant of epoch 1: in force, or `pending` until somebody approves it. Its uses never become more."""
    grant_id = GrantId(new_id())
    connection.execute(
        grants.insert().values(
            id=grant_id, district_id=district_id, provider=provider, state=state, epoch=1, created_at=now,
            uses=sorted(uses),
        )
    )  # fmt: skip
    return grant_id


_HOLD = sa.text("SELECT grant_hold(:grant, :epoch, :use)")


def fence(connection: Connection, grant_id: GrantId, epoch: int, use: Use | None = None) -> None:
    """Let this transaction commit only under the grant that it began with; a withdrawal waits for its end.

    Raises:
        GrantRevoked: the grant, or this use of it, was suspended or withdrawn meanwhile.
    """
    values = {"grant": grant_id, "epoch": epoch, "use": None if use is None else use.value}
    if connection.execute(_HOLD, values).scalar_one() is not True:
        raise GrantRevoked("The connection was withdrawn meanwhile; nothing was kept.")


def in_force(connection: Connection, provider: str, use: Use | None = None) -> list[GrantId]:
    """Grants of the entered district for one provider (and one use), oldest first."""
    wanted = [] if use is None else [grants.c.uses.contains([use.value])]
    rows = connection.execute(
        sa.select(grants.c.id)
        .where(grants.c.provider == provider, grants.c.state == "active", *wanted)
        .order_by(grants.c.created_at, grants.c.id)
    )
    return [GrantId(found) for found in rows.scalars()]


def await_approval(connection: Connection, grant_id: GrantId) -> None:
    """A grant in force waits for approval again; one that is in no force stays as it is."""
    connection.execute(
        grants.update().where(grants.c.id == grant_id, grants.c.state == "active").values(state="pending")
    )


def approve_grant(connection: Connection, grant_id: GrantId) -> bool:
    """Bring a pending grant into force; False where it is neither pending nor in force already."""
    changed = (
        grants.update().where(grants.c.id == grant_id, grants.c.state.in_(("pending", "active"))).values(state="active")
    )
    return connection.execute(changed.returning(grants.c.id)).one_or_none() is not None


def state_of(connection: Connection, grant_id: GrantId) -> str:
    """The state of a grant at this moment, by the words of the schema."""
    return str(connection.execute(sa.select(grants.c.state).where(grants.c.id == grant_id)).scalar_one())


def withdrawn() -> sa.Select[tuple[UUID]]:
    """Ids of grants that are withdrawn: what came by them alone is in quarantine, and read for its return alone."""
    return sa.select(grants.c.id).where(grants.c.state.in_(sorted(WITHDRAWN)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A withdrawal whose first phase is written: `fresh` is false where it was under way already."""

    id: UUID
    standing: Standing
    fresh: bool


def standing_of(connection: Connection, grant_id: GrantId) -> Standing:
    """Where a grant stands; nobody else moves it until the transaction ends. Who writes rows of it is not waited for.

    For those alone who move it themselves: a withdrawal waits for the lock, and so for a process that stands still.

    Raises:
        NotFound: the entered district has no such grant.
    """
    return _standing(connection, _STANDS.where(grants.c.id == grant_id).with_for_update(key_share=True))


def standing_now(connection: Connection, grant_id: GrantId) -> Standing:
    """Where a grant stood a moment ago; it may be moved meanwhile, and no withdrawal waits for whoever asks.

    Raises:
        NotFound: the entered district has no such grant.
    """
    return _standing(connection, _STANDS.where(grants.c.id == grant_id))


_STANDS = sa.select(grants.c.state, grants.c.epoch, grants.c.uses)


def _standing(connection: Connection, wanted: sa.Select[tuple[Any, ...]]) -> Standing:
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound("There is no such grant. `lti-server grant list` shows those there are.")
    return Standing(GrantState(row.state), row.epoch, frozenset(map(Use, row.uses)))


def move(connection: Connection, grant_id: GrantId, to: GrantState) -> Standing:
    """Suspend, resume or expire: a move that takes no epoch.

    Raises:
        NotFound, Conflict: there is no such grant, or no such move.
    """
    after = standing_of(connection, grant_id).moved(to)
    connection.execute(
        grants.update().where(grants.c.id == grant_id).values(state=after.state.value, suspended_on=None)
    )
    return after


def suspect(connection: Connection, grant_id: GrantId, evidence: str) -> None:
    """Keep on what evidence a grant is suspended; it is forgotten with the next move."""
    connection.execute(grants.update().where(grants.c.id == grant_id).values(suspended_on=evidence))


def suspended_on(connection: Connection, grant_id: GrantId) -> str:
    """The evidence on which a grant is suspended; empty where it is not, or somebody did it."""
    wanted = sa.select(grants.c.suspended_on).where(grants.c.id == grant_id, grants.c.state == "suspended")
    return str(connection.execute(wanted).scalar_one_or_none() or "")


def must_be_suspended(connection: Connection, grant_id: GrantId, on: str = "") -> None:
    """Raises:
    Conflict: it is not suspended, or not on this evidence.
    """
    if standing_of(connection, grant_id).state is not GrantState.SUSPENDED:
        raise Conflict("This connection is not suspended, so there is nothing to resume.")
    if on and suspended_on(connection, grant_id) != on:
        raise Conflict("Somebody has suspended this connection; it is resumed by hand.")


def withdraw(
    connection: Connection,
    grant_id: GrantId,
    *,
    by: str,
    now: datetime,
    uses: frozenset[Use] = frozenset(Use),
    reason: bytes | None = None,
) -> Begun:
    """Phase 1 on the caller's transaction: once it has committed, whatever carries the former epoch is refused.

    A grant that is being withdrawn already stays as it is. `reason` is sealed.

    Raises:
        NotFound, Conflict: there is no such grant, or nothing of it is there to be withdrawn.
    """
    before = standing_of(connection, grant_id)
    if before.state in WITHDRAWN:
        last = sa.select(revocation.c.id).where(revocation.c.grant_id == grant_id).order_by(revocation.c.epoch.desc())
        return Begun(id=connection.execute(last.limit(1)).scalar_one(), standing=before, fresh=False)
    after = before.withdrawn(uses)
    connection.execute(
        grants.update()
        .where(grants.c.id == grant_id)
        .values(
            state=after.state.value, epoch=after.epoch, uses=sorted(after.uses),
            ended_at=now if after.state is GrantState.REVOKING else None,
        )
    )  # fmt: skip
    values = {
        "id": new_id(), "grant": grant_id, "uses": sorted(before.uses - after.uses), "by": by, "reason": reason,
        "now": now,
    }  # fmt: skip
    return Begun(id=connection.execute(_BEGUN, values).scalar_one(), standing=after, fresh=True)


_BEGUN = sa.text(
    "INSERT INTO revocation (id, district_id, grant_id, epoch, uses, asked_by, reason, requested_at)"
    " SELECT :id, district_id, id, epoch, :uses, :by, :reason, :now FROM grants WHERE id = :grant RETURNING id"
)
