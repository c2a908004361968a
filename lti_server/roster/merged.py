"""Classes of two people who are one: united, each once; who was in a class twice is in it once from then on."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.merging import Moved, Pair, Undoing
from lti_server.ids import PersonId

_COUNT = sa.text("SELECT count(DISTINCT section_id) FROM membership WHERE person_id = :person AND ended_at IS NULL")
# One person is not in one class twice, nor as two things: what the one who stays is there holds.
_END_DOUBLE = sa.text(
    "UPDATE membership m SET ended_at = :at WHERE m.person_id = :gone AND m.ended_at IS NULL AND EXISTS ("
    "SELECT FROM membership o WHERE o.person_id = :into AND o.section_id = m.section_id AND o.ended_at IS NULL)"
    " RETURNING id"
)
_MOVE = sa.text("UPDATE membership SET person_id = :into WHERE person_id = :gone RETURNING id")
# Whoever was told since by a connection by which the one alone came is that one's again.
_BACK = sa.text(
    "UPDATE membership SET person_id = :gone WHERE person_id = :into AND (id = ANY(:ids)"
    " OR (started_at > :at AND grant_id = ANY(:theirs)))"
)
_AGAIN = sa.text(
    "UPDATE membership m SET ended_at = NULL WHERE m.id = ANY(:ids) AND m.ended_at = :at AND NOT EXISTS ("
    "SELECT FROM membership o WHERE o.person_id = m.person_id AND o.section_id = m.section_id AND o.ended_at IS NULL)"
)


class RosterMerge:
    """Memberships keep their provenance (law 11): each source still removes what it added, and nothing else."""

    name = "roster"

    def counts(self, connection: Connection, person_id: PersonId) -> Mapping[str, int]:
        return {"classes": connection.execute(_COUNT, {"person": person_id}).scalar_one()}

    def merge(self, connection: Connection, pair: Pair) -> Moved:
        both = {"into": pair.into.person_id, "gone": pair.gone.person_id, "at": pair.at}
        double = [str(one) for one in connection.execute(_END_DOUBLE, both).scalars()]
        moved = [str(one) for one in connection.execute(_MOVE, both).scalars()]
        return Moved(ids={"membership": moved, "membership_ended": double})

    def undo(self, connection: Connection, undoing: Undoing) -> None:
        pair, ids = undoing.pair, undoing.moved.ids
        both = {"into": pair.into.person_id, "gone": pair.gone.person_id, "at": pair.at}
        moved = [UUID(one) for one in ids["membership"]]
        connection.execute(_BACK, {**both, "ids": moved, "theirs": list(undoing.theirs)})
        connection.execute(_AGAIN, {**both, "ids": [UUID(one) for one in ids["membership_ended"]]})
