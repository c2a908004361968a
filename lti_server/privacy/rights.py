"""What a person, or a guardian through the district, may ask for: to see all that is kept, and a copy of it.

Each look is an entry of the log that the person may read, with the reason in words that go with the person's key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, PersonId
from lti_server.privacy import log
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.privacy.holdings import DataSubject
from lti_server.privacy.participants import Holder

LONGEST_REASON = 500


class SubjectOf(Protocol):
    """Finds a person of the entered district, an erased one too."""

    def __call__(
        self, connection: Connection, keys: DistrictKeys, person_id: PersonId, at: datetime, *, lock: bool = False
    ) -> DataSubject | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for a person's data, by which act of the log, in which interest, and why in their own words.

    `details` are for the district's log; what is of the elements in `hidden` is neither given nor hinted at. Those in
    `unnamed` are given, and the log does not name them: who reads it is not to learn that there is one.
    """

    by: str
    act: str
    reason: str
    interest: log.Interest = log.Interest.OPERATION
    details: Mapping[str, object] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()


class OnePerson(Protocol):
    """Every id under which somebody is kept, the one that stands first: people become one (accounts/merging.py)."""

    def __call__(self, connection: Connection, person_id: PersonId, /) -> Sequence[PersonId]: ...


class Rights:
    """Exports. Nothing is read before the reason is there, and nothing is given without its entry."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        holders: Sequence[Holder],
        subject_of: SubjectOf,
        one_person: OnePerson,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._holders = holders
        self._subject_of = subject_of
        self._one_person = one_person
        self._clock = clock

    def district_of(self, person_id: PersonId, among: Sequence[DistrictId]) -> DistrictId:
        """Whose person an id is.

        Raises:
            NotFound: nobody has it.
        """
        for district_id in among:
            with self._database.tenant(district_id) as connection:
                keys = self._district(connection).keys
                if self._subject_of(connection, keys, person_id, self._clock.now()) is not None:
                    return district_id
        raise NotFound("There is no person with this id.")

    def export(self, district_id: DistrictId, person_id: PersonId, asked: Asked) -> dict[str, Any]:
        """Everything that any feature declares of a person, opened; and the log's entries about them.

        Raises:
            InvalidInput: no reason is given.
            NotFound: there is no such person in the district.
        """
        check_reason(asked.reason)
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            subject = self.subject(connection, district, person_id)
            data = self._data(connection, subject, self._holders, asked)
        return {
            "person": str(person_id), "district": district.slug, "kind": subject.kind,
            "erased": subject.key is None, "exported_at": _utc(subject.at), "data": data,
        }  # fmt: skip

    def look(
        self, connection: Connection, subject: DataSubject, asked: Asked, *, but: frozenset[str] = frozenset()
    ) -> dict[str, list[dict[str, Any]]]:
        """The export's rows by table on the caller's transaction, without the holders that are named in `but`.

        Raises:
            InvalidInput: no reason is given.
        """
        check_reason(asked.reason)
        holders = [one for one in self._holders if one.name not in but]
        data = self._data(connection, subject, holders, asked)
        return {name: rows for tables in data.values() for name, rows in tables.items()}

    def show(self, district_id: DistrictId, person_id: PersonId, asked: Asked) -> dict[str, Any]:
        """Who somebody is here and in which classes, and of what else how much is kept: the export in short.

        Raises:
            InvalidInput, NotFound: as for `export`.
        """
        whole = self.export(district_id, person_id, asked)
        tables = {name: rows for part in whole.pop("data").values() for name, rows in part.items()}
        return {
            **whole,
            "fields": [_some(row, "field", "ciphertext", "element") for row in tables.get("person_field", [])],
            "identities": [_some(row, "provider", "issuer", "subject") for row in tables.get("identity", [])],
            "classes": [_some(row, "section_name", "role", "ended_at") for row in tables.get("membership", [])],
            "kept": {name: len(rows) for name, rows in sorted(tables.items()) if rows},
        }

    def subject(self, connection: Connection, district: District, person_id: PersonId) -> DataSubject:
        """A person of the entered district.

        Raises:
            NotFound: there is none with this id.
        """
        found = self._subject_of(connection, district.keys, person_id, self._clock.now())
        if found is None:
            raise NotFound("There is no person with this id.")
        return found

    def _data(
        self, connection: Connection, subject: DataSubject, holders: Sequence[Holder], asked: Asked
    ) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """What these hold of somebody, and the entry that it was read."""
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for one in (subject, *self.merged_into(connection, subject)):
            for holder in holders:
                tables = found.setdefault(holder.name, {})
                for name, rows in holder.export(connection, one).items():
                    tables.setdefault(name, []).extend(plain(row) for row in _open(rows, asked.hidden))
        data = {name: tables for name, tables in found.items() if any(tables.values())}
        named = [one for one in elements_in(data) if one not in asked.unnamed]
        self._note(connection, subject, asked, named)
        return data

    def merged_into(self, connection: Connection, subject: DataSubject) -> list[DataSubject]:
        """Whoever became one with somebody: what the log says of them is under their own key."""
        ids = self._one_person(connection, subject.person_id)
        if subject.person_id != ids[0]:
            return []
        found = [self._subject_of(connection, subject.keys, one, subject.at) for one in ids[1:]]
        return [one for one in found if one is not None]

    def _note(self, connection: Connection, subject: DataSubject, asked: Asked, elements: Sequence[str]) -> None:
        key = subject.key
        words = None if key is None else log.Words(person_id=subject.person_id, text=asked.reason, key=key)
        entry = log.entry(
            subject.keys, at=subject.at, actor=asked.by, act=asked.act, decision="allowed", purpose="operation",
            object_id=subject.person_id, elements=elements, population="person", interest=asked.interest, words=words,
            payload=asked.details,
        )  # fmt: skip
        log.record(connection, entry)


def check_reason(reason: str) -> None:
    """Staff and operators say why they look at somebody's data.

    Raises:
        InvalidInput: they do not, or at too great a length.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidInput(
            f"Say in at most {LONGEST_REASON} characters why this person's data is looked at. The person may read it."
        )


def elements_in(data: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> list[str]:
    """The elements of the fields that are in an export."""
    rows = (row for tables in data.values() for found in tables.values() for row in found)
    return sorted({str(row["element"]) for row in rows if row.get("element")})


def _open(rows: Sequence[Mapping[str, Any]], hidden: frozenset[str]) -> list[Mapping[str, Any]]:
    """The rows without what is of hidden elements, and without their names in rows that list elements."""
    if not hidden:
        return list(rows)
    return [
        {**row, "elements": [one for one in row["elements"] if one not in hidden]} if row.get("elements") else row
        for row in rows
        if row.get("element") not in hidden
    ]


def _some(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {"value" if name == "ciphertext" else name: row[name] for name in names}


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: ids and times as text, times in UTC."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, UUID | date):
        return str(value)
    return value


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
