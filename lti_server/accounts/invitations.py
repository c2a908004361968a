"""Invitations: a link that lets one person in, once, within a week."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.permissions import StaffRole
from lti_server.db import Database, Door, enter, enter_by, open_door
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, SessionId, new_id
from lti_server.privacy.crypto import new_token, token_hash

INVITATION_LIFE = timedelta(days=7)
SESSION_LIFE = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSession:
    """Somebody who came by an invitation. The operator has no district."""

    id: SessionId
    district_id: DistrictId | None
    role: StaffRole
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session and the cookie that is its only key."""

    session: StaffSession
    cookie: str = field(repr=False)


_SPEND = sa.text(
    "UPDATE invitation SET used_at = :now WHERE token_hash = :token AND used_at IS NULL AND expires_at > :now"
    " RETURNING role, district_id"
)
_OPEN = sa.text(
    "INSERT INTO session (id, district_id, role, cookie_hash, created_at, expires_at)"
    " VALUES (:id, :district, :role, :cookie, :now, :until)"
)
_READ = sa.text(
    "SELECT id, district_id, role, expires_at FROM session WHERE cookie_hash = :cookie AND ended_at IS NULL"
    " AND expires_at > :now AND person_id IS NULL"
)


class Invitations:
    """Makes, shows and spends invitations; reads and ends the sessions that come of them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def invite(self, role: StaffRole, district_id: DistrictId | None) -> tuple[str, datetime]:
        """The token of a new invitation, and until when it holds.

        Raises:
            InvalidInput: the operator has a district, or another role has none.
        """
        if (role is StaffRole.OPERATOR) != (district_id is None):
            raise InvalidInput("An operator is invited without a district, and everybody else with one (--district).")
        token, now = new_token(), self._clock.now()
        until = now + INVITATION_LIFE
        invitation_id = new_id()
        with self._database.anyone() as connection:
            if district_id is not None:
                enter(connection, district_id)
                open_door(connection, Door.INVITATION, token_hash(token), invitation_id, until)
            connection.execute(
                sa.text(
                    "INSERT INTO invitation (id, district_id, role, token_hash, created_at, expires_at)"
                    " VALUES (:id, :district, :role, :token, :now, :until)"
                ),
                {
                    "id": invitation_id, "district": district_id, "role": role.value, "token": token_hash(token),
                    "now": now, "until": until,
                },
            )  # fmt: skip
        return token, until

    def role_of(self, token: str) -> StaffRole:
        """The role that an invitation gives, without spending it.

        Raises:
            NotFound: it was used, is too old, or never was.
        """
        select = sa.text(
            "SELECT role FROM invitation WHERE token_hash = :token AND used_at IS NULL AND expires_at > :now"
        )
        with self._database.anyone() as connection:
            enter_by(connection, Door.INVITATION, token_hash(token))
            role = connection.execute(
                select, {"token": token_hash(token), "now": self._clock.now()}
            ).scalar_one_or_none()
        if role is None:
            raise _spent()
        return StaffRole(role)

    def accept(self, token: str) -> SignedIn:
        """Spend an invitation for a session, in one transaction.

        Raises:
            NotFound: it was used, is too old, or never was.
        """
        now = self._clock.now()
        with self._database.anyone() as connection:
            enter_by(connection, Door.INVITATION, token_hash(token))
            row = connection.execute(_SPEND, {"token": token_hash(token), "now": now}).one_or_none()
            if row is None:
                raise _spent()
            return self._open(connection, StaffRole(row.role), row.district_id, now)

    def session(self, cookie: str) -> StaffSession | None:
        """Who a cookie is, at this moment."""
        with self._database.anyone() as connection:
            enter_by(connection, Door.SESSION, token_hash(cookie))
            values = {"cookie": token_hash(cookie), "now": self._clock.now()}
            row = connection.execute(_READ, values).one_or_none()
        if row is None:
            return None
        return StaffSession(
            id=SessionId(row.id), district_id=row.district_id, role=StaffRole(row.role), expires_at=row.expires_at
        )

    def end(self, cookie: str) -> None:
        """Sign out: the session ends on the server."""
        with self._database.anyone() as connection:
            enter_by(connection, Door.SESSION, token_hash(cookie))
            connection.execute(
                sa.text("UPDATE session SET ended_at = :now WHERE cookie_hash = :cookie AND ended_at IS NULL"),
                {"cookie": token_hash(cookie), "now": self._clock.now()},
            )

    def _open(self, connection: Connection, role: StaffRole, district_id: DistrictId | None, now: datetime) -> SignedIn:
        cookie, session_id, until = new_token(), SessionId(new_id()), now + SESSION_LIFE
        values = {
            "id": session_id, "district": district_id, "role": role.value, "cookie": token_hash(cookie),
            "now": now, "until": until,
        }  # fmt: skip
        connection.execute(_OPEN, values)
        if district_id is not None:
            open_door(connection, Door.SESSION, token_hash(cookie), session_id, until)
        session = StaffSession(id=session_id, district_id=district_id, role=role, expires_at=until)
        return SignedIn(session=session, cookie=cookie)


def _spent() -> NotFound:
    return NotFound("This invitation was used or is too old. Ask whoever sent it for another.")
