"""In which districts somebody is known about whom a signal of the operator's application tells (docs/adr/0015).

Each district knows an account by a hash of its own, so that none of them says anything about another. They are made
here, one for each district that has the provider, and looked up in one statement: no district is visited for nothing.
"""

from __future__ import annotations

import sqlalchemy as sa

from lti_server.accounts.person_signals import hashes
from lti_server.db import Database
from lti_server.ids import DistrictId
from lti_server.privacy import crypto
from lti_server.privacy.crypto import KeyRing
from lti_server.providers.records import Signal


class SearchDistricts:
    """Reads no field of anybody, and writes nothing."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring

    def __call__(self, provider: str, signal: Signal, client_id: str) -> list[DistrictId]:
        """Those that know the account, or the sign-in, that a signal names: oldest first."""
        with self._database.anyone() as connection:
            rows = connection.execute(_DISTRICTS, {"provider": provider}).all()
            ids = [DistrictId(row.district_id) for row in rows]
            own = [
                hashes(crypto.opened(self._ring, one, row.data_key, row.pepper), signal, client_id)
                for one, row in zip(ids, rows, strict=True)
            ]
            values = {
                "districts": ids, "subjects": [one["subject"] for one in own],
                "sessions": [one["session"] for one in own],
            }  # fmt: skip
            return [DistrictId(one) for one in connection.execute(_PLACES, values).scalars()]


_DISTRICTS = sa.text("SELECT district_id, data_key, pepper FROM signal_districts(:provider)")
_PLACES = sa.text(
    "SELECT signal_places(CAST(:districts AS uuid[]), CAST(:subjects AS bytea[]), CAST(:sessions AS bytea[]))"
)
