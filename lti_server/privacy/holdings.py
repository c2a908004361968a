"""What a feature declares of the tables it owns: column by column, what is about a person and how it is found (law 1).

From the declaration alone the export is made, so that a declared column cannot be left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import DistrictId, PersonId
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.schedule import EDUCATOR_ELEMENTS, ELEMENTS

KEYED_HASH = "(a keyed hash)"
ENCRYPTED = "(encrypted, and not kept in a form that can be read)"


class Form(StrEnum):
    """How a value about a person stands at rest."""

    PLAIN = "plain"
    SEALED = "sealed"
    """Under the person's key, so that destroying the key erases it."""
    HASHED = "hashed"
    """A keyed hash alone: it finds an equal value, and tells none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `about`: a person who can be found by it; `passing`: somebody who cannot be, for a short time."""

    why: str
    about: bool
    passing: bool = False
    element: str = ""
    form: Form = Form.PLAIN


def element(name: str, *, form: Form = Form.PLAIN, why: str = "") -> Column:
    """An element of the schedule of data.

    Raises:
        ValueError: neither schedule has it.
    """
    if name not in ELEMENTS and name not in EDUCATOR_ELEMENTS:
        raise ValueError(f"{name} is no element of the schedule of data")
    return Column(why=why, about=True, element=name, form=form)


def about(names: str, why: str, *, form: Form = Form.PLAIN) -> dict[str, Column]:
    """Columns that say something of the person whose row it is, and are no element of their own."""
    return {name: Column(why=why, about=True, form=form) for name in names.split()}


def nobody(names: str, why: str) -> dict[str, Column]:
    """Columns in which nothing stands about a person: of the machine, the platform, the course or the contract."""
    return {name: Column(why=why, about=False) for name in names.split()}


def passing(names: str, why: str) -> dict[str, Column]:
    """Columns about somebody who cannot be found by them; `why` says until when they are kept."""
    return {name: Column(why=why, about=False, passing=True) for name in names.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table and what each of its columns holds.

    `mine` finds the rows of one person: SQL over `t` with `:person`; without it no column may be about somebody.
    `place` are the columns that a sealed value is bound to; `says` are further values for the export, as SQL over `t`.
    """

    name: str
    columns: Mapping[str, Column]
    mine: str | None = None
    place: Sequence[str] = ("id",)
    says: Mapping[str, str] = field(default_factory=dict)
    element_of: Callable[[Mapping[str, Any]], str] | None = None

    def __post_init__(self) -> None:
        if self.mine is None and any(column.about for column in self.columns.values()):
            raise ValueError(f"{self.name} holds something about a person and does not say how to find whose it is")

    @property
    def personal(self) -> Mapping[str, Column]:
        """The columns that an export of one person holds."""
        return MappingProxyType({name: one for name, one in self.columns.items() if one.about})


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """Whose data: `key` is None once it is destroyed."""

    person_id: PersonId
    district_id: DistrictId
    kind: str
    at: datetime
    keys: DistrictKeys = field(repr=False)
    key: PersonKey | None = field(repr=False)


def rows_about(
    connection: Connection, tables: Sequence[Table], subject: DataSubject
) -> dict[str, list[dict[str, Any]]]:
    """Every declared value about a person, opened, table by table. Personal data: whoever asks logs it."""
    return {table.name: _rows(connection, table, subject) for table in tables if table.mine is not None}


def _rows(connection: Connection, table: Table, subject: DataSubject) -> list[dict[str, Any]]:
    sealed = any(column.form is Form.SEALED for column in table.columns.values())
    wanted = dict.fromkeys([*table.columns, *(table.place if sealed else ())])
    more = "".join(f", {sql} AS {name}" for name, sql in table.says.items())
    statement = f"SELECT {', '.join(f't.{name}' for name in wanted)}{more} FROM {table.name} t WHERE {table.mine}"  # noqa: S608 - names and rules of our own code
    found = connection.execute(sa.text(statement), {"person": subject.person_id}).mappings()
    return [_row(table, dict(row), subject) for row in found]


def _row(table: Table, row: Mapping[str, Any], subject: DataSubject) -> dict[str, Any]:
    said = {name: _value(table, name, column, row, subject) for name, column in table.personal.items()}
    said.update({name: row[name] for name in table.says})
    if table.element_of is not None:
        said["element"] = table.element_of(row)
    return said


def _value(table: Table, name: str, column: Column, row: Mapping[str, Any], subject: DataSubject) -> Any:
    value = row[name]
    if value is None or column.form is Form.PLAIN:
        return value
    if column.form is Form.HASHED:
        return KEYED_HASH
    if subject.key is None:
        return ENCRYPTED
    place = "|".join(str(row[one]) for one in table.place)
    return subject.key.open(table.name, name, place, bytes(value))


def undeclared(connection: Connection, tables: Iterable[Table]) -> list[str]:
    """Columns of the database that nobody declares, and declared ones that are not there: `table.column` each."""
    declared: dict[str, set[str]] = {}
    twice: list[str] = []
    for table in tables:
        if table.name in declared:
            twice.append(f"{table.name} (twice)")
        declared[table.name] = set(table.columns)
    rows = connection.execute(
        sa.text(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')"
            " AND a.attnum > 0 AND NOT a.attisdropped"
        )
    )
    there = {(row.relname, row.attname) for row in rows}
    said = {(table, column) for table, columns in declared.items() for column in columns}
    return sorted(twice + [f"{table}.{column}" for table, column in there ^ said])
