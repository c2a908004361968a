"""What attempts add up to, and what two people's come to who are one: pure rules (A-23; roster-and-identity D6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The attempts at one activity, added up."""

    attempts: int
    best_score: float
    completed: bool
    optimal: bool
    first_completed_at: datetime | None
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt, as far as it counts."""

    score: float
    completed: bool
    optimal: bool
    occurred_at: datetime


def united(one: Total | None, other: Total | None) -> Total | None:
    """Attempts are summed, the best and whatever was reached is kept, and the earliest time it was solved."""
    if one is None or other is None:
        return one or other
    solved = [at for at in (one.first_completed_at, other.first_completed_at) if at is not None]
    return Total(
        attempts=one.attempts + other.attempts,
        best_score=max(one.best_score, other.best_score),
        completed=one.completed or other.completed,
        optimal=one.optimal or other.optimal,
        first_completed_at=min(solved, default=None),
        last_at=max(one.last_at, other.last_at),
    )


def tried(before: Total | None, attempts: Iterable[Tried]) -> Total | None:
    """What further attempts make of a total."""
    found = before
    for one in attempts:
        alone = Total(
            attempts=1, best_score=one.score, completed=one.completed, optimal=one.optimal,
            first_completed_at=one.occurred_at if one.completed else None, last_at=one.occurred_at,
        )  # fmt: skip
        found = united(found, alone)
    return found
