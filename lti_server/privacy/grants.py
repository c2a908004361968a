"""Grants: the district's leave for one connection, read at the moment of use (design 2, "Revocation")."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import GrantRevoked
from lti_server.ids import DistrictId, GrantId, new_id
from lti_server.privacy.tables import grants


def open_grant(
    connection: Connection, district_id: DistrictId, provider: str, now: datetime, *, state: str = "active"
) -> GrantId:
    """A new grant of epoch 1: in force, or `pending` until somebody approves it."""
    grant_id = GrantId(new_id())
    connection.execute(
        grants.insert().values(
            id=grant_id, district_id=district_id, provider=provider, state=state, epoch=1, created_at=now
        )
    )
    return grant_id


def fence(connection: Connection, grant_id: GrantId, epoch: int) -> None:
    """Let this transaction commit only under the grant that it began with. Call it last: a revocation waits for it.

    Raises:
        GrantRevoked: the grant was suspended or revoked meanwhile.
    """
    same = sa.text("SELECT 1 FROM grants WHERE id = :grant AND epoch = :epoch AND state = 'active' FOR SHARE")
    if connection.execute(same, {"grant": grant_id, "epoch": epoch}).one_or_none() is None:
        raise GrantRevoked("The connection was withdrawn meanwhile; nothing was kept.")


def in_force(connection: Connection, provider: str) -> list[GrantId]:
    """Grants of the entered district for one provider, oldest first."""
    rows = connection.execute(
        sa.select(grants.c.id)
        .where(grants.c.provider == provider, grants.c.state == "active")
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


def end_grant(connection: Connection, grant_id: GrantId, now: datetime) -> None:
    """Revoke a grant and end every session that came by it; what carries the former epoch is refused from here on."""
    connection.execute(
        grants.update().where(grants.c.id == grant_id).values(state="revoked", epoch=grants.c.epoch + 1, ended_at=now)
    )
    connection.execute(
        sa.text("UPDATE session SET ended_at = :now WHERE grant_id = :grant AND ended_at IS NULL"),
        {"now": now, "grant": grant_id},
    )
