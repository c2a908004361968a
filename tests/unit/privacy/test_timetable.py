"""By when the steps of a withdrawal are due, and which are late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy.timetable import Step, StepName, steps

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def made(**changed: object) -> dict[StepName, Step]:
    said: dict[str, object] = {
        "acknowledged_at": None, "given_back": (), "dispose_by": None, "disposed_at": None, "zone": PARIS, **changed,
    }  # fmt: skip
    return {one.name: one for one in steps(NOON, **said)}  # type: ignore[arg-type]  # as the rows have them


def test_what_is_here_ends_within_a_minute() -> None:
    ended = made()[StepName.ENDED]
    assert ended.due_at == NOON + timedelta(minutes=1)
    assert not ended.overdue(NOON + timedelta(minutes=1))
    assert ended.overdue(NOON + timedelta(seconds=61))
    late = made(acknowledged_at=NOON + timedelta(minutes=2))[StepName.ENDED]
    assert late.late
    assert not late.overdue(NOON + timedelta(days=9))


def test_tokens_are_given_back_within_a_day_and_done_with_the_last_of_them() -> None:
    assert StepName.GIVEN_BACK not in made()
    one = made(given_back=(NOON + timedelta(hours=1), None))[StepName.GIVEN_BACK]
    assert (one.due_at, one.done_at) == (NOON + timedelta(days=1), None)
    both = made(given_back=(NOON + timedelta(hours=1), NOON + timedelta(hours=2)))[StepName.GIVEN_BACK]
    assert both.done_at == NOON + timedelta(hours=2)
    assert not both.late


def test_disposal_is_due_at_the_end_of_its_day_where_the_district_is() -> None:
    assert StepName.DISPOSED not in made()
    one = made(dispose_by=date(2026, 11, 30))[StepName.DISPOSED]
    assert one.due_at == datetime(2026, 12, 1, tzinfo=PARIS)
    assert one.overdue(datetime(2026, 11, 30, 23, 1, tzinfo=UTC))
    assert not one.overdue(datetime(2026, 11, 30, 22, 59, tzinfo=UTC))


@given(st.integers(-3_600, 90_000), st.integers(0, 90_000))
def test_a_step_is_never_both_done_and_overdue(done_s: int, now_s: int) -> None:
    step = made(acknowledged_at=NOON + timedelta(seconds=done_s))[StepName.ENDED]
    assert not step.overdue(NOON + timedelta(seconds=now_s))
    assert step.late == (done_s > 60)
