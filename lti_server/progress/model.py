"""Attempts, what they add up to, and the grade that follows: pure rules (A-23; design 6.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from lti_server.ids import GrantId, MembershipId, PersonId
from lti_server.privacy.store_gate import Leave

TICK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at one activity. `score` in [0, 1]; `occurred_at` aware; `work` and `answers` are free text."""

    attempt_id: UUID
    activity_id: str
    score: float
    completed: bool
    optimal: bool
    duration_s: float | None
    occurred_at: datetime
    work: str | None = field(default=None, repr=False)
    answers: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the attempts at one activity add up to. Best and completed never fall."""

    attempts: int
    best_score: float
    completed: bool
    optimal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The pupil, the lesson, by which grant and membership an attempt comes, and what of it may be kept."""

    person_id: PersonId
    lesson_id: str
    membership_id: MembershipId | None
    grant_id: GrantId
    epoch: int
    performance: Leave = field(repr=False)
    work: Leave | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What a gradebook column shows: `score` in [0, 1], above it by extra credit alone; `done` of its `activities`."""

    score: float
    completed: bool
    done: int
    activities: int


def next_score_at(now: datetime, last: datetime | None, *, last_attempted: bool) -> datetime:
    """The timestamp of a new score: whole seconds, later than any that may have reached the LMS.

    Moodle compares whole seconds and answers 409 to an equal one; a score from the future blocks its column until
    then, so an unsent score's second is used again, and one that runs ahead of the clock waits for it.
    """
    this_second = now.astimezone(UTC).replace(microsecond=0)
    if last is None:
        return this_second
    return max(this_second, last + TICK if last_attempted else last)
