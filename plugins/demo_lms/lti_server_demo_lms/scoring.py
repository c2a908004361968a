"""Which scores a gradebook takes, and what it keeps of them (AGS 2.0, 3.4, as each vendor reads it)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from flask import abort

from lti_server_demo_lms.answers import is_number, problem
from lti_server_demo_lms.profiles import GRADING, Profile, Refusal
from lti_server_demo_lms.world import Course, District, Person

ACTIVITY = frozenset({"Initialized", "Started", "InProgress", "Submitted", "Completed"})


def gradable(profile: Profile, district: District, course: Course, person_id: str) -> Person:
    """Somebody with a grade in this course; the profile's refusal for anybody else."""
    enrolment = course.enrolment(person_id)
    if enrolment is None:
        refuse(profile.outsider if district.person(person_id) else profile.unknown_user)
    if enrolment.role.teaches:
        refuse(profile.not_gradable)
    return enrolment.person


def refuse(refusal: Refusal) -> NoReturn:
    abort(problem(refusal.status, refusal.text))


def moment(given: dict[str, Any]) -> datetime:
    """When a score was made; 400 where it says less, or other, than AGS 2.0, 3.4.2 wants."""
    try:
        at = datetime.fromisoformat(str(given.get("timestamp")))
    except ValueError:
        abort(problem(400, "timestamp must be ISO 8601."))
    if at.tzinfo is None:
        abort(problem(400, "timestamp must name its zone."))
    if given.get("activityProgress") not in ACTIVITY or given.get("gradingProgress") not in GRADING:
        abort(problem(400, "activityProgress and gradingProgress must be of the specification."))
    return at


def kept(profile: Profile, given: dict[str, Any]) -> dict[str, Any]:
    """What the gradebook keeps of a score; 400, or the profile's refusal, for numbers that are none."""
    body = dict(given)
    if "scoreGiven" in body:
        if "scoreMaximum" not in body:
            if profile.no_maximum is not None:
                refuse(profile.no_maximum)
            body["scoreMaximum"] = profile.default_maximum
        score, most = body["scoreGiven"], body["scoreMaximum"]
        if not is_number(score) or score < 0 or not is_number(most) or most <= 0:
            abort(problem(400, "scoreGiven must be at least 0, and scoreMaximum above 0."))
        if body["gradingProgress"] not in profile.keeps_given:
            del body["scoreGiven"]
    return body


def comment(profile: Profile, score: dict[str, Any], *, filtered: bool) -> dict[str, str]:
    """What a result says beside its numbers (AGS 2.0, 3.3.4); `filtered` where it was asked for one person."""
    said = score.get("comment")
    if not isinstance(said, str) or (filtered and not profile.filtered_results_have_comments):
        return {}
    return {"comment": said.replace("\n", "<br/>") if profile.line_ends_are_breaks else said}


def stale(profile: Profile, last: datetime, at: datetime) -> Sequence[Refusal]:
    """The refusal of a score that does not follow the last one of the same person and line item; else nothing."""
    kept_s, given_s = last.timestamp(), at.timestamp()
    if profile.score_clock == "second":
        kept_s, given_s = math.floor(kept_s), math.floor(given_s)
    refusal = profile.older_score if given_s < kept_s else profile.equal_score if given_s == kept_s else None
    return () if refusal is None else (refusal,)
