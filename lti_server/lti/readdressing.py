"""New addresses of a platform: its connection waits for approval, and a restored backup may not go back to the former.

Who holds an address that a district has left could sign launches and take grades: so where a backup brings it back, the
connection is suspended until the addresses are those again that the district has now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.privacy.grants import await_approval
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.withdrawn_again import WithdrawAgain

_ADDRESSES = sa.text(
    "SELECT auth_login_url, auth_token_url, jwks_url FROM registration WHERE grant_id = :grant AND removed_at IS NULL"
)


class Readdressing:
    """Reads and writes nothing about people: addresses of systems, and the state of grants."""

    def __init__(self, database: Database, again: WithdrawAgain, journal: Journal, clock: Clock) -> None:
        self._database = database
        self._again = again
        self._journal = journal
        self._clock = clock

    def __call__(
        self, connection: Connection, district_id: DistrictId, grant_id: GrantId, addresses: Sequence[str]
    ) -> None:
        """On the caller's transaction: what stands by the former addresses waits until somebody approves the new."""
        await_approval(connection, grant_id)
        self._journal.append(
            JournalKind.READDRESSING, district_id=district_id, at=self._clock.now(), grant=str(grant_id),
            addresses=_hash(addresses),
        )  # fmt: skip

    def replay(self, entry: JournalEntry) -> bool:
        """Suspend a connection whose addresses a restored backup has turned back; False where they are the newest."""
        assert entry.district_id is not None
        grant_id = GrantId(UUID(entry.said["grant"]))
        with self._database.tenant(entry.district_id) as connection:
            row = connection.execute(_ADDRESSES, {"grant": grant_id}).one_or_none()
        if row is None or _hash(row) == entry.said["addresses"]:
            return False
        return self._again.suspended(entry.district_id, grant_id)


def _hash(addresses: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(addresses).encode()).hexdigest()
