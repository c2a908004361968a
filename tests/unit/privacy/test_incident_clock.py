"""The strictest clock: a contract's from confirmation, a statute's from discovery, none means without delay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy.incident_clock import deadlines, strictest
from lti_server.privacy.limits import LAWS, STATUTES
from lti_server.privacy.model import Limit

FOUND = datetime(2026, 11, 1, 8, tzinfo=UTC)
SURE = FOUND + timedelta(hours=20)


def contract(hours: int) -> dict[str, Limit]:
    return {"breach_notice_hours": Limit(value=hours, clause="Art. V 4")}


@pytest.mark.parametrize(
    ("hours", "laws", "confirmed_at", "due_at", "clause"),
    [
        (72, (), None, None, "Art. V 4"),
        (72, (), SURE, SURE + timedelta(hours=72), "Art. V 4"),
        (72, ("ny_2d",), None, FOUND + timedelta(days=7), "8 NYCRR 121.10(a), 7 days"),
        (720, ("ny_2d",), SURE, FOUND + timedelta(days=7), "8 NYCRR 121.10(a), 7 days"),
        (1_000, ("il_soppa",), SURE, FOUND + timedelta(days=30), "105 ILCS 85/15, 30 days"),
        (72, ("gdpr",), SURE, FOUND + timedelta(hours=72), "GDPR Art. 33(1)"),
        (24, ("gdpr", "ny_2d", "il_soppa"), SURE, SURE + timedelta(hours=24), "Art. V 4"),
    ],
)
def test_the_clock_that_ends_first_counts(
    hours: int, laws: tuple[str, ...], confirmed_at: datetime | None, due_at: datetime | None, clause: str
) -> None:
    first = deadlines([(contract(hours), laws)], discovered_at=FOUND, confirmed_at=confirmed_at)[0]
    assert (first.due_at, first.clause) == (due_at, clause)


def test_where_nobody_agreed_on_a_number_the_notice_is_due_at_once() -> None:
    (only,) = deadlines([({}, ())], discovered_at=FOUND, confirmed_at=None)
    assert only.due_at == FOUND
    assert "without undue delay" in only.clause


districts = st.tuples(st.integers(1, 2_000), st.sets(st.sampled_from(sorted(LAWS))), st.booleans())


@given(st.lists(districts, min_size=1, max_size=5))
def test_no_district_and_no_law_has_an_earlier_deadline_than_the_strictest(
    several: list[tuple[int, set[str], bool]],
) -> None:
    clocks = [
        clock
        for hours, laws, sure in several
        for clock in deadlines([(contract(hours), laws)], discovered_at=FOUND, confirmed_at=SURE if sure else None)
    ]
    found = strictest(clocks)
    due = [SURE + timedelta(hours=hours) for hours, _, sure in several if sure]
    due += [
        FOUND + timedelta(hours=one.value)
        for _, laws, _ in several
        for one in STATUTES
        if one.law in laws and one.limit == "breach_notice_hours"
    ]
    assert (found and found.due_at) == min(due, default=None)
