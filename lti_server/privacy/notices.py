"""Versions of the privacy policy: announced before they act, and what each names as purposes (A-56, A-57)."""

from __future__ import annotations

from collections.abc import Sequence
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
    faults = []
    earliest = now.date() + timedelta(days=NOTICE_DAYS)
    if (material or purposes - before) and acts_on < earliest:
        faults.append(("/acts_on", f"A material change is announced {NOTICE_DAYS} days before: {earliest} or later."))
    if acts_on < now.date() or (last is not None and acts_on < last.acts_on):
        faults.append(("/acts_on", "It must not act in the past, nor before the version announced last."))
    for name, words in (("summary_en", summary_en), ("summary_fr", summary_fr)):
        if not 0 < len(words.strip()) <= LONGEST_SUMMARY:
            faults.append((f"/{name}", f"Say in up to {LONGEST_SUMMARY} characters what changes."))
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
