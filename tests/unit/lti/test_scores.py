"""A score's numbers and times: exact, growing, and told apart from a teacher's as gradebooks round."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lti_server.ids import GrantId, IdentityId, PersonId
from lti_server.lti import scores
from lti_server.lti.grade_comments import wording
from lti_server.lti.platform_profiles import CANVAS
from lti_server.lti.results import Result
from lti_server.progress.model import next_score_at
from lti_server.progress.outbox import Queued

AT = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
SHARES = st.integers(0, 2_000_000).map(lambda millionths: millionths / 1_000_000)
MAXIMA = st.sampled_from([1, 4, 5, 7.5, 10, 20, 100, 1000])


def queued(**changes: Any) -> Queued:
    values: dict[str, Any] = {
        "id": uuid4(), "column_id": uuid4(), "person_id": PersonId(uuid4()), "identity_id": IdentityId(uuid4()),
        "grant_id": GrantId(uuid4()), "epoch": 1, "score": 0.5,
        "completed": False, "score_at": AT, "attempts": 0, "done": 1, "activities": 2,
    }  # fmt: skip
    return Queued(**{**values, **changes})


def sent(**changes: Any) -> dict[str, Any]:
    found = json.loads(scores.score(queued(**changes), "pupil-1", 100, "", {}))
    assert isinstance(found, dict)
    return found


@given(SHARES, MAXIMA)
def test_points_have_four_decimals_at_most_and_no_noise(share: float, maximum: float) -> None:
    found = scores.points(share, maximum)
    text = json.dumps(found)
    assert len(text.partition(".")[2]) <= 4 or "e-" in text
    assert abs(found - share * maximum) <= 0.00005 + 1e-9


@given(SHARES, MAXIMA, st.integers(2, 5))
@example(0.00099, 5, 2)  # rounded when it was sent, and again when it was kept
def test_a_score_is_known_again_however_the_gradebook_rounds_it(share: float, maximum: float, places: int) -> None:
    kept = Result(user_id="", points=round(scores.points(share, maximum), places), maximum=maximum)
    assert scores.stands(kept, share, maximum)


@given(st.integers(0, 100), st.integers(0, 100))
def test_another_whole_point_of_a_hundred_is_another_grade(ours: int, theirs: int) -> None:
    result = Result(user_id="", points=theirs, maximum=100)
    assert scores.stands(result, ours / 100, 100) == (ours == theirs)


def test_a_maximum_that_is_left_out_is_1_or_the_one_that_was_sent() -> None:
    for points in (0.5, 50):
        assert scores.stands(Result(user_id="", points=points, maximum=None), 0.5, 100)
    assert not scores.stands(Result(user_id="", points=7, maximum=None), 0.5, 100)
    assert not scores.stands(Result(user_id="", points=None, maximum=100), 0, 100)


def test_nothing_is_nothing_and_zero_is_zero() -> None:
    assert sent(score=0.0)["scoreGiven"] == 0
    cleared = sent(cleared=True)
    assert "scoreGiven" not in cleared
    assert "scoreMaximum" not in cleared
    assert cleared["gradingProgress"] == "FullyGraded"


def test_a_third_of_a_hundred_has_no_noise() -> None:
    assert scores.score(queued(score=0.333333), "p", 100, "", {}).startswith(b'{"scoreGiven": 33.3333, ')
    assert sent(score=1.5)["scoreGiven"] == 150


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2050, 1, 1)),  # noqa: DTZ001  the zone is added below
    st.integers(-14, 14),
    st.lists(st.tuples(st.floats(-100, 100), st.booleans()), max_size=10),
)
def test_timestamps_grow_by_whole_seconds_whatever_the_clock_does(
    start: datetime, zone: int, steps: list[tuple[float, bool]]
) -> None:
    now = start.replace(tzinfo=timezone(timedelta(hours=zone)))
    last = next_score_at(now, None, last_attempted=False)
    for step, attempted in steps:
        now += timedelta(seconds=step)
        following = next_score_at(now, last, last_attempted=attempted)
        assert following.microsecond == 0
        assert following >= last + timedelta(seconds=attempted)
        if attempted:
            assert scores.timestamp(following) > scores.timestamp(last)
        last = following


def test_when_the_pupil_began_and_handed_in_goes_along() -> None:
    began = AT.astimezone(timezone(timedelta(hours=2))) - timedelta(minutes=5)
    assert sent(started_at=began, submitted_at=AT)["submission"] == {
        "startedAt": "2026-11-25T16:55:00.000Z", "submittedAt": "2026-11-25T17:00:00.000Z",
    }  # fmt: skip
    assert "submission" not in sent()


def test_an_update_of_canvas_names_no_new_submission() -> None:
    body = json.loads(scores.score(queued(), "p", 100, "", CANVAS.same_submission))
    assert body["https://canvas.instructure.com/lti/submission"] == {"new_submission": False}


@pytest.mark.parametrize(
    ("locale", "said"), [("en", "2 of 3 activities done"), ("fr", "2 activités sur 3 terminées"), ("fr-CA", None)]
)
def test_the_comment_speaks_the_districts_language(locale: str, said: str | None) -> None:
    assert wording(locale, 2, 3) == (said or wording("fr", 2, 3))
    assert wording(locale, 1, 1) == ""


def test_a_teachers_comment_is_told_apart_from_ours() -> None:
    def said(done: int, activities: int) -> str:
        return wording("en", done, activities)

    for ours in ("", "0 of 2 activities done", "2 of 2 activities done"):
        assert scores.our_comment(queued(), ours, said)
    assert not scores.our_comment(queued(), "Well done, but see me about the second one.", said)
