"""What became of a deletion that somebody asked their provider for, for whoever holds its code. It names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from lti_server.db import Database, Door, enter_by
from lti_server.errors import NotFound
from lti_server.privacy.deletion_codes import DeletionCodes
from lti_server.privacy.doors import DoorKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionStatus:
    """`state` is `waiting` (for the district, until `due_on`), `answered`, `erased`, or `nobody`."""

    state: str
    received_at: datetime | None = None
    due_on: date | None = None
    done_at: datetime | None = None


class Deletions:
    """Reads one receipt by its code."""

    def __init__(self, *, database: Database, doors: DoorKeys, codes: DeletionCodes) -> None:
        self._database = database
        self._doors = doors
        self._codes = codes

    def status(self, code: str) -> DeletionStatus:
        """Where it stands now.

        Raises:
            NotFound: this server gave nobody this code.
        """
        if not self._codes.made_here(code):
            raise NotFound("This server has given no such code. Check the address.")
        with self._database.anyone() as connection:
            found = enter_by(connection, Door.DELETION, self._doors.of(Door.DELETION, code))
            row = None if found is None else connection.execute(_ONE, {"id": found.target_id}).one_or_none()
        if row is None:
            return DeletionStatus(state="nobody")
        if row.erased_at is not None:
            return DeletionStatus(state="erased", received_at=row.received_at, done_at=row.erased_at)
        if row.answered_at is not None:
            return DeletionStatus(state="answered", received_at=row.received_at, done_at=row.answered_at)
        return DeletionStatus(state="waiting", received_at=row.received_at, due_on=row.due_on)


_ONE = sa.text(
    "SELECT r.received_at, r.erased_at, c.due_on, c.answered_at FROM signal_receipt r"
    " LEFT JOIN own_request c ON c.id = r.case_id WHERE r.id = :id"
)
