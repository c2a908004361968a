"""Puts committed entries into the chain of their district, so that no use case waits for another's."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import Clock, DistrictId
from lti_server.privacy.log_chain import Head, genesis, link_hash
from lti_server.privacy.tables import log_entry, log_link

SEAL_EVERY_S = 2.0
BATCH = 1_000
_LOCK = "hashtextextended('log|' || current_district()::text, 6)"
_WAIT = sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})")
_TRY = sa.text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")
_TAKE = sa.text(
    "DELETE FROM log_pending WHERE entry_id IN (SELECT entry_id FROM log_pending ORDER BY entry_id LIMIT :batch)"
    " RETURNING entry_id"
)


class SealLog:
    """One batch is one transaction: killed in its midst, a sealer leaves what waited to the next one.

    One sealer at a time has a district, by an advisory lock that ends with the transaction; whoever finds it taken
    leaves the district to that one.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def __call__(self) -> int:
        """Seal what waits in every district; answers with how many entries that were."""
        with self._database.anyone() as connection:
            waiting = connection.execute(sa.text("SELECT log_waiting()")).scalars().all()
        return sum(self.district(DistrictId(one)) for one in waiting)

    def district(self, district_id: DistrictId, *, wait: bool = False) -> int:
        """Seal what waits in one district; `wait` for another sealer that is at it."""
        sealed, more = 0, True
        while more:
            with self._database.tenant(district_id) as connection:
                free = connection.execute(_WAIT if wait else _TRY).scalar_one()
                batch = self._batch(connection, district_id) if wait or free else 0
            sealed, more = sealed + batch, batch == BATCH
        return sealed

    def _batch(self, connection: Connection, district_id: DistrictId) -> int:
        taken = sorted(connection.execute(_TAKE, {"batch": BATCH}).scalars())
        if not taken:
            return 0
        found = connection.execute(
            sa.select(log_entry.c.id, log_entry.c.leaf_hash).where(log_entry.c.id.in_(taken))
        ).all()
        leaves = {row.id: bytes(row.leaf_hash) for row in found}
        head, now = head_of(connection, district_id), self._clock.now()
        links = []
        for entry_id in taken:
            # An entry that is gone before it was sealed is sealed as gone: verification tells.
            position, leaf = head.sealed + 1, leaves.get(entry_id, b"")
            made = link_hash(
                head.hash, district=district_id, position=position, entry=entry_id, leaf=leaf, sealed_at=now
            )
            head = Head(sealed=position, hash=made)
            links.append(
                {"district_id": district_id, "position": position, "entry_id": entry_id, "sealed_at": now, "hash": made}
            )
        connection.execute(log_link.insert(), links)
        return len(links)


def head_of(connection: Connection, district_id: DistrictId) -> Head:
    """The end of the entered district's chain."""
    last = sa.select(log_link.c.position, log_link.c.hash).order_by(log_link.c.position.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None:
        return Head(sealed=0, hash=genesis(district_id))
    return Head(sealed=row.position, hash=bytes(row.hash))
