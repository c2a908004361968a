"""Work of two people who are one: nothing is lost, whichever is merged into which (roster-and-identity D6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lti_server.progress.totals import Total, Tried, tried, united

MOMENTS = st.integers(0, 10_000).map(lambda s: datetime(2026, 9, 1, tzinfo=UTC) + timedelta(seconds=s))
ATTEMPTS = st.lists(
    st.builds(Tried, score=st.floats(0, 1), completed=st.booleans(), optimal=st.booleans(), occurred_at=MOMENTS),
    max_size=6,
)


def total(attempts: list[Tried]) -> Total | None:
    return tried(None, attempts)


@given(ATTEMPTS, ATTEMPTS)
def test_it_is_the_same_whichever_comes_first_and_equals_all_attempts_of_one_person(
    one: list[Tried], other: list[Tried]
) -> None:
    both = united(total(one), total(other))
    assert both == united(total(other), total(one)) == total([*one, *other])


@given(st.lists(ATTEMPTS, max_size=5), st.randoms())
def test_the_order_of_several_merges_makes_no_difference(people: list[list[Tried]], chance: Random) -> None:
    mixed = list(people)
    chance.shuffle(mixed)
    assert reduce(united, map(total, people), None) == reduce(united, map(total, mixed), None)


@given(ATTEMPTS, ATTEMPTS)
def test_no_attempt_is_lost_and_no_best_falls(one: list[Tried], other: list[Tried]) -> None:
    both = united(total(one), total(other))
    for alone in (total(one), total(other)):
        if alone is not None and both is not None:
            assert both.best_score >= alone.best_score
            assert both.completed >= alone.completed
            assert (
                both.first_completed_at is None
                or alone.first_completed_at is None
                or (both.first_completed_at <= alone.first_completed_at)
            )
    assert (both.attempts if both else 0) == len(one) + len(other)
