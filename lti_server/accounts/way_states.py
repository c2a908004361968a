"""A way in of somebody ends, is held while its provider has the account disabled, or is free again.

Each is a line of the journal, so that a backup from before it lets nobody in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import DistrictId, IdentityId
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind


class WayStates:
    """Changes one identity on the caller's transaction. Sessions are the caller's to end."""

    def __init__(self, database: Database, journal: Callable[[], Journal]) -> None:
        self._database = database
        self._journal = journal

    def end(self, connection: Connection, district_id: DistrictId, identity_id: IdentityId, at: datetime) -> bool:
        """End it for good; False where it was over. Call it last in the transaction."""
        return self._narrow(connection, JournalKind.WAY_ENDED, district_id, identity_id, at)

    def hold(
        self, connection: Connection, district_id: DistrictId, identity_id: IdentityId, at: datetime, *, said: datetime
    ) -> bool:
        """Let nobody in by it until it is freed; False where it is so. Call it last in the transaction.

        `said` is when the provider said so: what it said before that frees nothing, however late it comes.
        """
        held = self._narrow(connection, JournalKind.WAY_HELD, district_id, identity_id, at)
        connection.execute(_HELD_SINCE, {"id": identity_id, "said": said, "at": at})
        return held

    def free(
        self, connection: Connection, district_id: DistrictId, identity_id: IdentityId, at: datetime, *, said: datetime
    ) -> Callable[[], None] | None:
        """Let it in again. What is given back writes the line, to be called after the commit; None: it was free.

        None, too, where it is held by what the provider has said since.
        """
        if not connection.execute(_CHANGES[JournalKind.WAY_FREED], {"id": identity_id, "at": said}).rowcount:
            return None

        def tell() -> None:
            self._journal().append(JournalKind.WAY_FREED, district_id=district_id, at=at, identity=str(identity_id))

        return tell

    def replay(self, entry: JournalEntry) -> bool:
        """Do it again in a restored database; False where there is nothing to do."""
        assert entry.district_id is not None
        values = {"id": UUID(entry.said["identity"]), "at": entry.at}
        with self._database.tenant(entry.district_id) as connection:
            return connection.execute(_CHANGES[entry.kind], values).rowcount > 0

    def _narrow(
        self, connection: Connection, kind: JournalKind, district_id: DistrictId, identity_id: IdentityId, at: datetime
    ) -> bool:
        if not connection.execute(_CHANGES[kind], {"id": identity_id, "at": at}).rowcount:
            return False
        if kind is JournalKind.WAY_ENDED:
            self._journal().append(JournalKind.WAY_ENDED, district_id=district_id, at=at, identity=str(identity_id))
        else:
            self._journal().append(JournalKind.WAY_HELD, district_id=district_id, at=at, identity=str(identity_id))
        return True


# A provider sends again what this server could not take, so its words come in another order than it said them.
_HELD_SINCE = sa.text(
    "UPDATE identity SET held_at = CAST(:said AS timestamptz)"
    " WHERE id = :id AND held_at IS NOT NULL AND (held_at = :at OR held_at < :said)"
)
_CHANGES: Mapping[JournalKind, sa.TextClause] = MappingProxyType(
    {
        JournalKind.WAY_ENDED: sa.text("UPDATE identity SET ended_at = :at WHERE id = :id AND ended_at IS NULL"),
        JournalKind.WAY_HELD: sa.text(
            "UPDATE identity SET held_at = :at WHERE id = :id AND held_at IS NULL AND ended_at IS NULL"
        ),
        JournalKind.WAY_FREED: sa.text(
            "UPDATE identity SET held_at = NULL WHERE id = :id AND held_at IS NOT NULL AND held_at <= :at"
        ),
    }
)
