"""A score as it is sent, and whether a grade in the LMS is one that was sent (AGS 2.0, 3.4): pure rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pylti1p3.grade import Grade

from lti_server.lti.results import Result
from lti_server.progress.outbox import Queued

PLACES = Decimal("0.0001")
# Gradebooks keep two decimals, of points or of a percentage; what is sent was rounded to four decimals before.
KEPT_POINTS, KEPT_SHARE = 0.005 + 0.00005, 0.00005
SLACK = 1e-6


def points(share: float, maximum: float) -> int | float:
    """A share of the maximum as points, to four decimals, without the noise of binary fractions; 0 stays 0."""
    exact = (Decimal(str(share)) * Decimal(str(maximum))).quantize(PLACES, ROUND_HALF_UP)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def timestamp(at: datetime) -> str:
    """ISO 8601 with zone and sub-seconds, as AGS wants it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stands(result: Result, share: float, maximum: float) -> bool:
    """Whether a grade is this score, rounded as gradebooks round.

    A maximum that the LMS leaves out is 1 (AGS 2.0, 3.3.4), or, where an LMS forgets it, the one that was sent.
    """
    if result.points is None:
        return False
    for most in (1.0, maximum) if result.maximum is None else (result.maximum,):
        if abs(result.points / most - share) <= max(KEPT_POINTS / most, KEPT_SHARE) + SLACK:
            return True
    return False


def score(sent: Queued, subject: str, maximum: float, comment: str, extra: Mapping[str, Any]) -> bytes:
    """The body of a score. FullyGraded always: nobody here grades by hand, and platforms pass other states over.

    Without a score it says that there is none any more, and clears what was sent before.
    """
    made = Grade().set_timestamp(timestamp(sent.score_at)).set_user_id(subject).set_grading_progress("FullyGraded")
    if sent.cleared:
        made.set_activity_progress("Initialized")
        return str(made.get_value()).encode()
    made.set_score_given(points(sent.score, maximum)).set_score_maximum(points(1, maximum))
    made.set_activity_progress("Completed" if sent.completed else "InProgress")
    if comment:
        made.set_comment(comment)
    body = {**json.loads(made.get_value()), **extra}
    submission = {"startedAt": sent.started_at, "submittedAt": sent.submitted_at}
    times = {name: timestamp(at) for name, at in submission.items() if at is not None}
    return json.dumps({**body, **({"submission": times} if times else {})}).encode()


def our_comment(sent: Queued, said: str, wording: Callable[[int, int], str]) -> bool:
    """Whether a comment in the LMS is one that this tool wrote, or none: a teacher's words are left alone."""
    return not said or said in {wording(done, sent.activities) for done in range(sent.activities + 1)}
