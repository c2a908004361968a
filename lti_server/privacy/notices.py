"""Versions of the privacy policy: announced before they act, and what each names as purposes (A-56, A-57)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import InvalidInput
from lti_server.ids import new_id
from lti_server.privacy.model import Purpose
from lti_server.privacy.tables import policy_version as table

# Our own promise, printed on the page: a material change is announced so long before it acts.
NOTICE_DAYS = 30
LONGEST_SUMMARY = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the notice. It acts from the first moment of `acts_on` (UTC)."""

    version: int
    acts_on: date
    material: bool
    purposes: frozenset[Purpose]
    summary_en: str
    summary_fr: str
    announced_at: datetime


def announce(
    connection: Connection,
    *,
    acts_on: date,
    material: bool,
    purposes: frozenset[Purpose],
    summary_en: str,
    summary_fr: str,
    now: datetime,
) -> Version:
    """A version that will act on a day. The caller tells the districts, on the same transaction.

    Raises:
        InvalidInput: a material change, or another purpose, that acts before it was announced for `NOTICE_DAYS`; a day
        before that of the version announced last; no words in one of the languages.
    """
    known = versions(connection)
    last = known[0] if known else None
    before = last.purposes if last else frozenset(Purpose)
    soonest = now.date() + timedelta(days=NOTICE_DAYS if material or purposes - before else 0)
    faults = _times(acts_on, soonest, last) + _words({"/summary_en": summary_en, "/summary_fr": summary_fr})
    if not purposes:
        faults.append(("/purposes", "Name at least one purpose."))
    if faults:
        raise InvalidInput.listing("The change of the privacy policy was not announced.", faults)
    made = Version(
        version=(last.version if last else 1) + 1, acts_on=acts_on, material=material or bool(purposes - before),
        purposes=purposes, summary_en=summary_en.strip(), summary_fr=summary_fr.strip(), announced_at=now,
    )  # fmt: skip
    connection.execute(
        table.insert().values(
            id=new_id(), version=made.version, acts_on=acts_on, material=made.material,
            purposes=sorted(one.value for one in purposes), summary_en=made.summary_en, summary_fr=made.summary_fr,
            announced_at=now,
        )
    )  # fmt: skip
    return made


def announced_again(
    connection: Connection,
    *,
    acts_on: date,
    material: bool,
    purposes: frozenset[Purpose],
    summary_en: str,
    summary_fr: str,
    at: datetime,
) -> bool:
    """Put a version that a restored backup does not know behind those that it has; False where it knows it.

    Whatever it does not name is used for nothing from its day on, as before the restore.
    """
    known = versions(connection)
    if known and known[0].announced_at >= at:
        return False
    connection.execute(
        table.insert().values(
            id=new_id(), version=(known[0].version if known else 1) + 1, acts_on=acts_on, material=material,
            purposes=sorted(one.value for one in purposes), summary_en=summary_en, summary_fr=summary_fr,
            announced_at=at,
        )
    )  # fmt: skip
    return True


def _times(acts_on: date, soonest: date, last: Version | None) -> list[tuple[str, str]]:
    if acts_on < soonest:
        return [
            ("/acts_on", f"It acts on {soonest} at the soonest; what matters is announced {NOTICE_DAYS} days before.")
        ]
    if last is not None and acts_on < last.acts_on:
        return [("/acts_on", "It must not act before the version that was announced last.")]
    return []


def _words(summaries: Mapping[str, str]) -> list[tuple[str, str]]:
    said = f"Say in up to {LONGEST_SUMMARY} characters what changes."
    return [(name, said) for name, words in summaries.items() if not 0 < len(words.strip()) <= LONGEST_SUMMARY]


def versions(connection: Connection) -> list[Version]:
    """Every version that was announced, newest first. Version 1 is the program as it came, and has no row."""
    rows = connection.execute(sa.select(table).order_by(table.c.version.desc()))
    return [
        Version(
            version=row.version, acts_on=row.acts_on, material=row.material,
            purposes=frozenset(Purpose(one) for one in row.purposes), summary_en=row.summary_en,
            summary_fr=row.summary_fr, announced_at=row.announced_at,
        )
        for row in rows
    ]  # fmt: skip


def acting(found: Sequence[Version], today: date) -> tuple[int, frozenset[Purpose]]:
    """The version that acts today, and its purposes: what it does not name, nobody's data are used for."""
    for one in found:
        if one.acts_on <= today:
            return one.version, one.purposes
    return 1, frozenset(Purpose)
