"""Reading the log: by the district, page by page, and by a person for what is about that person."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import InvalidInput
from lti_server.ids import PersonId
from lti_server.privacy import schedule
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.log import payload_of, words_of
from lti_server.privacy.tables import log_entry, log_link

MOST = 200
_EMAIL = frozenset({schedule.EMAIL, "email"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; what is None is not asked for. `since` is included, `until` is not."""

    act: str | None = None
    decision: str | None = None
    purpose: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """While a person belonged to a population, such as `section:<id>`; `until` is None while it lasts."""

    population: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One entry as its readers see it: ids of ours, no name. `words` is free text that only its person can read."""

    id: int
    at: datetime
    actor: str
    act: str
    decision: str
    purpose: str
    interest: str
    population: str
    object_id: UUID | None
    elements: tuple[str, ...]
    details: dict[str, object]
    sealed: bool
    words: str | None = None

    def plain(self) -> dict[str, Any]:
        """For JSON; times in UTC."""
        return {
            "id": str(self.id), "at": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"), "actor": self.actor,
            "act": self.act, "decision": self.decision, "purpose": self.purpose, "interest": self.interest,
            "population": self.population, "object_id": None if self.object_id is None else str(self.object_id),
            "elements": list(self.elements), "details": self.details, "sealed": self.sealed,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries, newest first; `next` is where the page after this one begins, None at the end."""

    items: tuple[Logged, ...]
    next: str | None


def read_log(
    connection: Connection, keys: DistrictKeys, wanted: Wanted, *, after: str | None = None, limit: int = 50
) -> Page:
    """A page of the entered district's log, at most 200 entries.

    A pupil's e-mail is hinted at to nobody (law 8): entries that are about it, too, do not name its element here. The
    entries themselves do, sealed, and the pupil reads them so.

    Raises:
        InvalidInput: `after` is no cursor of this list.
    """
    e, rules = log_entry.c, []
    for column, value in ((e.act, wanted.act), (e.decision, wanted.decision), (e.purpose, wanted.purpose)):
        if value is not None:
            rules.append(column == value)
    if wanted.since is not None:
        rules.append(e.at >= wanted.since)
    if wanted.until is not None:
        rules.append(e.at < wanted.until)
    rows, more = _page(connection, sa.and_(sa.true(), *rules), after, limit)
    items = tuple(_unhinted(_logged(row, details=payload_of(keys, bytes(row.payload)))) for row in rows)
    return Page(items=items, next=_cursor(items[-1]) if more else None)


def entries_about(
    connection: Connection,
    keys: DistrictKeys,
    person_id: PersonId,
    *,
    person_key: PersonKey | None,
    stays: Sequence[Stay] = (),
    merged: Mapping[PersonId, PersonKey | None] = MappingProxyType({}),
    of_others: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """What was asked for and given of one person, for that person; and what that person did.

    Whoever was in a section while it was read as a whole finds that entry by the `stays`. Details are the district's
    and stay out; the entry's words about this person are in, as long as the person's key is (law 12). `merged` are
    those who became one with this person, with their keys. `of_others` leaves out what the person did.

    Raises:
        InvalidInput: `after` is no cursor of this list.
    """
    both = {person_id: person_key, **merged}
    rule = sa.or_(*(_about(one, stays, of_others=of_others) for one in both))
    if of_others:
        rule = sa.and_(rule, log_entry.c.actor.not_in([f"person:{one}" for one in both]))
    rows, more = _page(connection, rule, after, limit)
    items = tuple(_logged(row, details={}, words=_words(keys, row, both)) for row in rows)
    return Page(items=items, next=_cursor(items[-1]) if more else None)


def _words(keys: DistrictKeys, row: sa.Row[Any], both: Mapping[PersonId, PersonKey | None]) -> str | None:
    found = (words_of(keys, bytes(row.payload), one, key) for one, key in both.items())
    return next((words for words in found if words is not None), None)


def _about(person_id: PersonId, stays: Sequence[Stay], *, of_others: bool) -> sa.ColumnElement[bool]:
    e = log_entry.c
    while_there = [
        sa.and_(
            e.population == one.population,
            e.population.like("%:%"),
            e.at >= one.since,
            sa.true() if one.until is None else e.at < one.until,
        )
        for one in stays
    ]
    if of_others:
        return sa.and_(sa.or_(e.object_id == person_id, *while_there), e.actor != f"person:{person_id}")
    did = sa.and_(
        e.actor == f"person:{person_id}",
        sa.text("actor LIKE 'person:%' AND (object_id IS NULL OR actor <> 'person:' || object_id::text)"),
    )
    return sa.or_(e.object_id == person_id, did, *while_there)


def _page(
    connection: Connection, rule: sa.ColumnElement[bool], after: str | None, limit: int
) -> tuple[Sequence[sa.Row[Any]], bool]:
    limit = max(1, min(limit, MOST))
    e = log_entry.c
    sealed = sa.exists().where(log_link.c.entry_id == e.id)
    statement = sa.select(log_entry, sealed.label("sealed")).where(rule)
    if after is not None:
        at, number = _place(after)
        statement = statement.where(sa.tuple_(e.at, e.id) < sa.tuple_(sa.literal(at), sa.literal(number)))
    rows = connection.execute(statement.order_by(e.at.desc(), e.id.desc()).limit(limit + 1)).all()
    return rows[:limit], len(rows) > limit


def _logged(row: sa.Row[Any], *, details: dict[str, object], words: str | None = None) -> Logged:
    return Logged(
        id=row.id, at=row.at, actor=row.actor, act=row.act, decision=row.decision, purpose=row.purpose,
        interest=row.interest, population=row.population, object_id=row.object_id, elements=tuple(row.elements),
        details=details, sealed=row.sealed, words=words,
    )  # fmt: skip


def _unhinted(one: Logged) -> Logged:
    """Without the element of a pupil's e-mail, and without the field in what the contract refused."""
    refused = one.details.get("refused")
    details = one.details
    if isinstance(refused, dict):
        details = {**details, "refused": {name: count for name, count in refused.items() if name not in _EMAIL}}
    return replace(one, elements=tuple(name for name in one.elements if name not in _EMAIL), details=details)


def _cursor(last: Logged) -> str:
    return base64.urlsafe_b64encode(f"{last.at.astimezone(UTC).isoformat()}|{last.id}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        at, _, number = text.partition("|")
        found = datetime.fromisoformat(at), int(number)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("This is no place in the list. Begin at its first page.") from error
    if found[0].tzinfo is None or not 0 <= found[1] < 2**63:
        raise InvalidInput("This is no place in the list. Begin at its first page.")
    return found
