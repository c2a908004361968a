"""Whatever the journal can tell of, a restore can do again; and of what was taken back, the last word counts."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from lti_server.ids import DistrictId
from lti_server.privacy.journal import LIFTS, MEMBERS, JournalEntry, JournalKind
from lti_server.replay import AGAIN, what_counts


def line(kind: JournalKind, **said: object) -> JournalEntry:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    return JournalEntry(kind=kind, district_id=DistrictId(UUID(int=1)), at=at, said=said)


def test_each_kind_of_the_journal_is_done_again() -> None:
    assert set(AGAIN) == set(JournalKind) == set(MEMBERS)


def test_of_lines_that_take_each_other_back_the_last_one_of_each_subject_counts() -> None:
    said = {"person": "a", "recipients": "teacher"}
    first, lifted = line(JournalKind.RESTRICTION, **said), line(JournalKind.UNRESTRICTION, **said)
    other = line(JournalKind.RESTRICTION, person="a", recipients="school")
    erased = line(JournalKind.ERASURE, person="a")
    assert what_counts([first, erased, other, lifted]) == [erased, other, lifted]
    assert what_counts([first, lifted, first]) == [first]
    assert what_counts([erased, erased]) == [erased, erased]


def test_what_lifts_and_what_is_lifted_have_one_subject() -> None:
    members = {
        "block": "b", "grant": "g", "person": "p", "recipients": "r", "field": "f", "provider": "", "hashes": [],
        "identity": "i",
    }  # fmt: skip
    for lifts, lifted in LIFTS.items():
        both = [line(kind, **{name: members[name] for name in MEMBERS[kind]}) for kind in (lifted, lifts)]
        assert both[0].subject == both[1].subject
