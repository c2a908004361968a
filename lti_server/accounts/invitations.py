"""Invitations: a link that lets one person in, once, within a week, who has promised confidence (A-47)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import confidence
from lti_server.accounts.confidence import Giver, Promise
from lti_server.accounts.permissions import StaffRole
from lti_server.db import Database, Door, enter, enter_by, open_door
from lti_server.errors import InvalidInput, NotAuthenticated, NotFound
from lti_server.ids import Clock, DistrictId, SessionId, new_id
from lti_server.privacy.crypto import new_token, token_hash
from lti_server.privacy.districts import District

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
    " RETURNING id, role, district_id"
)
_OPEN = sa.text(
    "INSERT INTO session (id, district_id, role, cookie_hash, created_at, expires_at)"
    " VALUES (:id, :district, :role, :cookie, :now, :until)"
)
_READ = sa.text(
    "SELECT id, district_id, role, expires_at FROM session s WHERE cookie_hash = :cookie AND ended_at IS NULL"
    " AND expires_at > :now AND person_id IS NULL"
    " AND EXISTS (SELECT FROM confidence_promise p WHERE p.session_id = s.id)"
)


class Invitations:
    """Makes, shows and spends invitations; reads and ends the sessions that come of them."""

    def __init__(self, database: Database, clock: Clock, district: Callable[[Connection], District]) -> None:
        self._database = database
        self._clock = clock
        self._district = district

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

    def accept(self, token: str, promise: Promise) -> SignedIn:
        """Spend an invitation for a session, with the promise that was given for it, in one transaction.

        Raises:
            NotFound: it was used, is too old, or never was.
        """
        now = self._clock.now()
        with self._database.anyone() as connection:
            enter_by(connection, Door.INVITATION, token_hash(token))
            row = connection.execute(_SPEND, {"token": token_hash(token), "now": now}).one_or_none()
            if row is None:
                raise _spent()
            made = self._open(connection, StaffRole(row.role), row.district_id, now)
            self._give(connection, made.session, row.id, promise, now)
            return made

    def promise(self, cookie: str, promise: Promise) -> None:
        """The promise of a session anew, where its words have changed since; it does not make the session longer.

        Raises:
            NotAuthenticated: there is no such session.
        """
        now = self._clock.now()
        with self._database.anyone() as connection:
            found = self._read(connection, cookie, now)
            if found is None:
                raise NotAuthenticated("Open the invitation that you were sent, or ask for another.")
            if not confidence.stands(connection, found.id, now):
                self._give(connection, found, confidence.invitation_of(connection, found.id), promise, now)

    def session(self, cookie: str) -> StaffSession | None:
        """Who a cookie is, at this moment, and has promised confidence in the words of now.

        Raises:
            NotAuthenticated: the words have changed since this session promised them.
        """
        with self._database.anyone() as connection:
            now = self._clock.now()
            found = self._read(connection, cookie, now)
            if found is not None and not confidence.stands(connection, found.id, now):
                raise NotAuthenticated("The promise of confidence has new words. Open /account and promise anew.")
        return found

    def owes_promise(self, cookie: str) -> bool:
        """Whether a cookie is a session that opens nothing until it promises anew."""
        with self._database.anyone() as connection:
            now = self._clock.now()
            found = self._read(connection, cookie, now)
            return found is not None and not confidence.stands(connection, found.id, now)

    def end(self, cookie: str) -> None:
        """Sign out: the session ends on the server."""
        with self._database.anyone() as connection:
            enter_by(connection, Door.SESSION, token_hash(cookie))
            connection.execute(
                sa.text("UPDATE session SET ended_at = :now WHERE cookie_hash = :cookie AND ended_at IS NULL"),
                {"cookie": token_hash(cookie), "now": self._clock.now()},
            )

    def _read(self, connection: Connection, cookie: str, now: datetime) -> StaffSession | None:
        enter_by(connection, Door.SESSION, token_hash(cookie))
        row = connection.execute(_READ, {"cookie": token_hash(cookie), "now": now}).one_or_none()
        if row is None:
            return None
        return StaffSession(
            id=SessionId(row.id), district_id=row.district_id, role=StaffRole(row.role), expires_at=row.expires_at
        )

    def _give(
        self, connection: Connection, session: StaffSession, invitation_id: UUID, promise: Promise, now: datetime
    ) -> None:
        giver = Giver(
            session_id=session.id, invitation_id=invitation_id, role=session.role, district_id=session.district_id,
            expires_at=session.expires_at,
        )  # fmt: skip
        keys = self._district(connection).keys if session.district_id is not None else None
        confidence.give(connection, giver, promise, keys, at=now)

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
