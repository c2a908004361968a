"""By when each step of a withdrawal is to be done, and whether it was. Pure.

The minute and the day are this product's own promises; the day of disposal is the contract's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

ENDED_WITHIN = timedelta(seconds=60)
GIVEN_BACK_WITHIN = timedelta(hours=24)


class StepName(StrEnum):
    """`ENDED`: sessions, jobs and tokens, and what was in flight. `GIVEN_BACK`: tokens, at their provider."""

    ENDED = "ended"
    GIVEN_BACK = "given_back"
    DISPOSED = "disposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; aware times. `done_at` is None while it is still to be done."""

    name: StepName
    due_at: datetime
    done_at: datetime | None

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been done by now, and is not."""
        return self.done_at is None and now > self.due_at

    @property
    def late(self) -> bool:
        """Whether it was done after its time."""
        return self.done_at is not None and self.done_at > self.due_at


def steps(
    requested_at: datetime,
    *,
    acknowledged_at: datetime | None,
    given_back: Sequence[datetime | None],
    dispose_by: date | None,
    disposed_at: datetime | None,
    zone: ZoneInfo,
) -> tuple[Step, ...]:
    """The steps of one withdrawal. `given_back` has the time of each token that a provider is told of.

    A disposal is due at the end of its day in the district's time zone; without a day there is none.
    """
    found = [Step(name=StepName.ENDED, due_at=requested_at + ENDED_WITHIN, done_at=acknowledged_at)]
    if given_back:
        settled = [one for one in given_back if one is not None]
        done = max(settled) if len(settled) == len(given_back) else None
        found.append(Step(name=StepName.GIVEN_BACK, due_at=requested_at + GIVEN_BACK_WITHIN, done_at=done))
    if dispose_by is not None:
        due = datetime.combine(dispose_by + timedelta(days=1), time(), zone)
        found.append(Step(name=StepName.DISPOSED, due_at=due, done_at=disposed_at))
    return tuple(found)
