"""Where two people are one, each row about them becomes the other's by a part of the merge, or is found through both.

A new table about people says here which of the two it is: a part of `rights_parts.MERGES` writes to it, or it stays
under the id under which it was made, and whoever reads it asks for every id of the person (`person.merged_into`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

import pytest
import sqlalchemy as sa

from lti_server.accounts.merging import Part
from lti_server.privacy.holdings import Table
from lti_server.rights_parts import HOLDERS, MERGES

TABLES = [table for holder in HOLDERS for table in holder.tables]
BOTH = "exports and erasures ask for every id of the person (privacy/rights.py, privacy/erasure.py)"
STAYS = {
    "erasure": BOTH,
    "erasure_receipt": BOTH,
    "lesson_token": "it is its session's, which ends with the merge",
    "link_intent": "it is over within minutes, and only the session that made it uses it",
    "log_entry": "the log is not changed; " + BOTH,
    "merge_ledger": "it is what says that they are one, and how that is undone",
    "person": "it says into whom, and keeps the key of what stays",
    "signal_receipt": BOTH,
}
WRITES = re.compile(r"\b(?:UPDATE|DELETE FROM|INSERT INTO)\s+([a-z_]+)\b")
SPLIT = re.compile(r'"\s*\n\s*f?"')


def about_people(tables: Iterable[Table] = TABLES) -> set[str]:
    """Tables in which something is about a person who can be found by it."""
    return {table.name for table in tables if table.personal}


def written(parts: Sequence[Part]) -> set[str]:
    """Tables to which a part of a merge writes, by the words of its own module."""
    found: set[str] = set()
    for part in parts:
        module = sys.modules[type(part).__module__]
        assert module.__file__ is not None
        with open(module.__file__, encoding="utf-8") as file:
            found |= set(WRITES.findall(SPLIT.sub("", file.read())))
    return found


def forgotten(parts: Sequence[Part] = MERGES, tables: Iterable[Table] = TABLES) -> list[str]:
    """Tables about people that a merge leaves behind without saying so."""
    return sorted(about_people(tables) - written(parts) - set(STAYS))


def test_every_table_about_a_person_has_a_part_in_a_merge_or_says_why_it_stays() -> None:
    assert forgotten() == []


def test_what_stays_is_about_people_and_no_part_writes_to_it() -> None:
    assert set(STAYS) - about_people() == set()
    assert set(STAYS) & written(MERGES) == set()


def test_whatever_points_at_a_person_in_the_database_is_among_them(owner: sa.Connection) -> None:
    pointing = sa.text(
        "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = 'person'::regclass"
    )
    assert set(owner.execute(pointing).scalars()) - written(MERGES) - set(STAYS) == set()


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("roster", {"membership"}),
        ("progress", {"grade_delivery", "progress_event", "progress_summary"}),
        ("people", {"identity", "person_field", "correction", "block", "consent"}),
    ],
)
def test_a_part_that_is_taken_away_is_missed(gone: str, left: set[str]) -> None:
    assert left <= set(forgotten([part for part in MERGES if part.name != gone]))


def test_a_new_table_about_people_is_found() -> None:
    diary = next(table for table in TABLES if table.name == "membership")
    planted = type(diary)(name="diary", columns=diary.columns, mine=diary.mine)
    assert forgotten(tables=[*TABLES, planted]) == ["diary"]
