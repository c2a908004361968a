"""What is kept of people who are one: what somebody wanted to link, and what was merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy.holdings import Column, DataSubject, Table, about, nobody, rows_about

INTENTS = Table(
    name="link_intent",
    mine="(t.person_id = :person OR t.found_person_id = :person)",
    columns=MappingProxyType(
        {
            **about("id person_id provider", "who wanted to link which kind of account"),
            **about("found_person_id", "who else it turned out to be"),
            **about("created_at expires_at used_at confirm_until settled_at", "when; gone after a day"),
            **nobody("intent_hash session_id", "the browser and the session that it was made in"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
MERGES = Table(
    name="merge_ledger",
    mine="(t.to_person_id = :person OR (t.from_person_id = :person AND t.undone_at IS NOT NULL))",
    columns=MappingProxyType(
        {
            **about("id from_person_id to_person_id way", "which two became one, and what showed that they are"),
            **about("made_by made_at undo_until undone_by undone_at", "by whom and when, and whether it was undone"),
            **about("moved", "the ids of what moved; gone after 30 days"),
            "sealed": Column(why="what each had before, under the key of whoever was merged; gone after 30 days",
                             about=False, passing=True),
            **nobody("district_id", "the tenant"),
        }
    ),
)  # fmt: skip

_DROP_INTENTS = sa.text("DELETE FROM link_intent WHERE person_id = :person OR found_person_id = :person")
_WIPE_MERGES = sa.text(
    "UPDATE merge_ledger SET moved = NULL, sealed = NULL"
    " WHERE (from_person_id = :person OR to_person_id = :person) AND moved IS NOT NULL"
)


class LinkingData:
    """Intents and the ledger. An erasure leaves the lines, which are ids of ours and times, and nothing to undo by."""

    name = "linking"
    tables: Sequence[Table] = (INTENTS, MERGES)

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return rows_about(connection, self.tables, subject)

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        mine = {"person": subject.person_id}
        gone = {
            "link_intents": connection.execute(_DROP_INTENTS, mine).rowcount,
            "merges": connection.execute(_WIPE_MERGES, mine).rowcount,
        }
        return {name: count for name, count in gone.items() if count}
