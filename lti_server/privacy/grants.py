"""Grants: the district's leave for one connection, read at the moment of use (design 2, "Revocation")."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import DistrictId, GrantId, new_id
from lti_server.privacy.tables import grants


def open_grant(connection: Connection, district_id: DistrictId, provider: str, now: datetime) -> GrantId:
    """A new grant in force, of epoch 1."""
    grant_id = GrantId(new_id())
    connection.execute(
        grants.insert().values(
            id=grant_id, district_id=district_id, provider=provider, state="active", epoch=1, created_at=now
        )
    )
    return grant_id


def end_grant(connection: Connection, grant_id: GrantId, now: datetime) -> None:
    """Revoke a grant and end every session that came by it; what carries the former epoch is refused from here on."""
    connection.execute(
        grants.update().where(grants.c.id == grant_id).values(state="revoked", epoch=grants.c.epoch + 1, ended_at=now)
    )
    connection.execute(
        sa.text("UPDATE session SET ended_at = :now WHERE grant_id = :grant AND ended_at IS NULL"),
        {"now": now, "grant": grant_id},
    )
