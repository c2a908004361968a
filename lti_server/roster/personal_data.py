"""What is kept of who is in which class. Classes themselves are nobody's: their teachers always see their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import PersonId
from lti_server.privacy import schedule
from lti_server.privacy.holdings import DataSubject, Table, about, element, nobody, rows_about
from lti_server.privacy.log_reading import Stay

MEMBERSHIPS = Table(
    name="membership",
    mine="t.person_id = :person",
    says=MappingProxyType({"section_name": "(SELECT s.name FROM section s WHERE s.id = t.section_id)"}),
    columns=MappingProxyType(
        {
            **about("id person_id role", "who, and as what"),
            "section_id": element(schedule.COURSES, why="in which class"),
            **about("started_at ended_at", "since when, and until when"),
            **about("source grant_id run_id ended_by_run_id", "by a launch or a class list, and which (law 11)"),
            **nobody("epoch", "the epoch of the grant"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
SECTIONS = Table(
    name="section",
    columns=nobody(
        "id district_id grant_id provider source_scope source_id name school memberships_url created_at archived_at"
        " course_section_id division differences_url read_whole_at",
        "a class and where its list is read; who is in it stands elsewhere",
    ),
)
RUNS = Table(
    name="roster_run",
    columns=nobody(
        "id district_id grant_id provider state counts holds refused_fields detail started_at finished_at",
        "counts and names of fields, never a value",
    ),
)

_DROP = sa.text("DELETE FROM membership WHERE person_id = :person")
_STAYS = sa.text("SELECT section_id, started_at, ended_at FROM membership WHERE person_id = :person")


def stays(connection: Connection, person_id: PersonId) -> list[Stay]:
    """When somebody was in which class, for the entries of the log that are about whole classes."""
    rows = connection.execute(_STAYS, {"person": person_id})
    return [Stay(population=f"section:{row.section_id}", since=row.started_at, until=row.ended_at) for row in rows]


_END = sa.text("UPDATE membership SET ended_at = :at WHERE person_id = :person AND ended_at IS NULL")


def end_stays(connection: Connection, person_id: PersonId, at: datetime) -> None:
    """End somebody's memberships; they stay as history until the person is erased."""
    connection.execute(_END, {"person": person_id, "at": at})


class RosterData:
    """Memberships."""

    name = "roster"
    tables: Sequence[Table] = (MEMBERSHIPS, SECTIONS, RUNS)

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Every class that somebody is or was in."""
        return rows_about(connection, self.tables, subject)

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """Take the memberships away, the ended ones too."""
        return {"memberships": connection.execute(_DROP, {"person": subject.person_id}).rowcount}
