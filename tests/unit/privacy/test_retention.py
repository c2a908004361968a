"""How long an element is kept: the contract's days, none where the contract has no such element."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy import contract_file, schedule
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.retention import WHATEVER_ITS_AGE, Retention
from tests.unit.privacy.contract_text import written

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def retention(terms: str) -> Retention:
    text = written(None, {schedule.NAME: terms})
    return Retention(policy=compile_policy(contract_file.parse(text)), now=NOW)


@given(days=st.integers(1, 36_500))
def test_an_element_is_kept_for_as_many_days_as_its_contract_says(days: int) -> None:
    found = retention(
        f"{{collect: true, store: true, retain_days: {days}, sources: [school], purposes: [instruction]}}"
    )
    assert found.collected_before(schedule.NAME) == NOW - timedelta(days=days)


def test_an_element_that_the_contract_lacks_is_kept_no_day() -> None:
    found = retention("{collect: true, store: true, retain_days: 9, sources: [school], purposes: [instruction]}")
    assert found.collected_before(schedule.GENDER) == WHATEVER_ITS_AGE


def test_an_element_that_is_collected_and_not_stored_is_kept_no_day() -> None:
    found = retention("{collect: true, store: false, retain_days: 9, sources: [school], purposes: [instruction]}")
    assert found.collected_before(schedule.NAME) == WHATEVER_ITS_AGE


def test_educators_keep_what_their_own_schedule_names() -> None:
    terms = "{collect: true, store: true, retain_days: 9, sources: [school], purposes: [instruction]}"
    found = retention(terms)
    assert [found.drops_of_educators(name) for name in ("name", "identifier", "email")] == [False, False, True]
