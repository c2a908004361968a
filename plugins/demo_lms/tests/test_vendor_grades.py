"""Scores and line items as each vendor takes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lti_server_demo_lms import PROFILES

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
FIRST = "2026-11-24T10:00:00.500Z"


def standing(lms: Any, column: str) -> list[tuple[float, float]]:
    answer = lms.get(lms.below(column, "results"), AGS + "result.readonly")
    return [(row["resultScore"], row["resultMaximum"]) for row in answer.json]


@pytest.mark.parametrize(
    ("name", "at", "status"),
    [
        ("moodle", "2026-11-24T10:00:00.900Z", 409),
        ("moodle", FIRST, 409),
        ("moodle", "2026-11-24T09:59:59.000Z", 409),
        ("moodle", "2026-11-24T10:00:01.000Z", 200),
        ("canvas", "2026-11-24T10:00:00.400Z", 400),
        ("canvas", FIRST, 200),
        ("canvas", "2026-11-24T10:00:00.501Z", 200),
        ("openedx", FIRST, 400),
        ("openedx", "2026-11-24T11:00:00.500+01:00", 400),
        ("openedx", "2026-11-24T10:00:00.501Z", 200),
    ],
)
def test_a_second_score_must_be_later_as_the_vendor_counts(launched: Any, name: str, at: str, status: int) -> None:
    lms = launched(PROFILES[name])
    column, pupil = lms.column(), lms.course.pupils[0].id
    assert lms.score(column, pupil, FIRST).status_code == 200
    answer = lms.score(column, pupil, at, scoreGiven=90)
    assert answer.status_code == status
    assert standing(lms, column) == [(90 if status == 200 else 80, 100)]
    assert ("already exists" in answer.text) is (name == "openedx" and status == 400)


@pytest.mark.parametrize("name", ["moodle", "canvas", "openedx"])
def test_the_first_instant_of_the_calendar_is_a_time_like_any(launched: Any, name: str) -> None:
    lms = launched(PROFILES[name])
    column, pupil = lms.column(), lms.course.pupils[0].id
    assert lms.score(column, pupil, "0001-01-01T00:00:00+10:00").status_code == 200
    assert lms.score(column, pupil, "0001-01-01T00:00:01+10:00").status_code == 200


def test_a_score_from_the_future_blocks_until_then_in_moodle(launched: Any) -> None:
    lms = launched(PROFILES["moodle"])
    column, pupil = lms.column(), lms.course.pupils[0].id
    assert lms.score(column, pupil, "2036-01-01T00:00:00Z").status_code == 200
    assert lms.score(column, pupil, "2035-12-31T23:59:59Z").status_code == 409


@pytest.mark.parametrize(
    ("name", "status", "wanted"),
    [("plain", 400, []), ("canvas", 422, []), ("moodle", 200, [(80, 1)])],
)
def test_a_score_without_its_maximum_is_refused_or_out_of_one(
    launched: Any, name: str, status: int, wanted: list[tuple[float, float]]
) -> None:
    lms = launched(PROFILES[name])
    column = lms.column()
    body = {
        "userId": lms.course.pupils[0].id, "scoreGiven": 80, "timestamp": FIRST,
        "activityProgress": "Completed", "gradingProgress": "FullyGraded",
    }  # fmt: skip
    answer = lms.send(column, body)
    assert answer.status_code == status
    assert standing(lms, column) == wanted


@pytest.mark.parametrize(
    ("name", "grading", "row", "given"),
    [
        ("plain", "Pending", True, True),
        ("canvas", "Pending", False, False),
        ("canvas", "NotReady", False, False),
        ("canvas", "PendingManual", True, True),
        ("canvas", "FullyGraded", True, True),
        ("moodle", "Pending", True, False),
        ("moodle", "PendingManual", True, False),
        ("moodle", "FullyGraded", True, True),
    ],
)
def test_what_counts_of_a_score_hangs_on_its_grading(
    launched: Any, name: str, grading: str, row: bool, given: bool
) -> None:
    lms = launched(PROFILES[name])
    column, pupil = lms.column(), lms.course.pupils[0].id
    assert lms.score(column, pupil, gradingProgress=grading).status_code == 200
    [(item, _)] = lms.parts.store.line_items(lms.district.slug, lms.course.id)
    kept = lms.parts.store.scores(item)
    assert (pupil in kept) is row
    assert ("scoreGiven" in kept.get(pupil, {})) is given


def test_a_score_that_canvas_forgot_blocks_no_earlier_one(launched: Any) -> None:
    lms = launched(PROFILES["canvas"])
    column, pupil = lms.column(), lms.course.pupils[0].id
    assert lms.score(column, pupil, "2026-11-24T12:00:00Z", gradingProgress="Pending").status_code == 200
    assert lms.score(column, pupil, "2026-11-24T11:00:00Z").status_code == 200
    assert standing(lms, column) == [(80, 100)]


@pytest.mark.parametrize(
    ("name", "unknown", "outsider", "teacher", "text"),
    [
        ("plain", 404, 404, 422, "userId is nobody in this course."),
        ("canvas", 422, 422, 422, "There is no such user in the course."),
        ("moodle", 400, 400, 400, "The user is unknown."),
        ("blackboard", 400, 400, 422, "User could not be found"),
        ("d2l", 404, 403, 422, "The user is not known."),
    ],
)
def test_who_has_no_grades_is_refused_as_the_vendor_refuses(
    launched: Any, name: str, unknown: int, outsider: int, teacher: int, text: str
) -> None:
    lms = launched(PROFILES[name])
    column = lms.column()
    others = lms.district.courses[1].pupils[-1].id
    nobody = lms.score(column, "nobody")
    assert (nobody.status_code, nobody.json["error"]) == (unknown, text)
    assert lms.score(column, others).status_code == outsider
    assert lms.score(column, lms.course.teachers[0].id).status_code == teacher
    assert standing(lms, column) == []


@pytest.mark.parametrize(
    ("name", "alone", "among_all"),
    [("plain", "Well done.\nGo on.", "Well done.\nGo on."), ("blackboard", None, "Well done.<br/>Go on.")],
)
def test_a_comment_comes_back_as_the_vendor_keeps_it(
    launched: Any, name: str, alone: str | None, among_all: str
) -> None:
    lms = launched(PROFILES[name])
    column, pupil = lms.column(), lms.course.pupils[0].id
    lms.score(column, pupil, comment="Well done.\nGo on.")
    results = lms.below(column, "results")
    mark = "&" if "?" in results else "?"
    [one] = lms.get(f"{results}{mark}user_id={pupil}", AGS + "result.readonly").json
    [listed] = lms.get(results, AGS + "result.readonly").json
    assert (one.get("comment"), listed["comment"]) == (alone, among_all)


@pytest.mark.parametrize(("name", "query"), [("moodle", "?type_id=2"), ("canvas", ""), ("blackboard", "")])
def test_a_line_item_s_address_has_the_vendor_s_query(launched: Any, name: str, query: str) -> None:
    lms = launched(PROFILES[name])
    column = lms.column()
    path = column.removesuffix(query)
    assert "?" not in path
    assert column == path + query
    assert lms.get(column, AGS + "lineitem.readonly").status_code == 200
    assert lms.get(path, AGS + "lineitem.readonly").status_code == (404 if query else 200)


@pytest.mark.parametrize(
    ("name", "out_of", "columns", "there"),
    [
        ("plain", None, 0, False),
        ("plain", None, 1, True),
        ("plain", None, 2, False),
        ("moodle", None, 2, False),
        ("plain", 10, 0, True),
        ("plain", 10, 1, False),
        ("blackboard", None, 1, False),
        ("blackboard", 10, 0, True),
        ("blackboard", 10, 2, True),
    ],
)
def test_a_launch_names_its_line_item_when_the_vendor_does(
    launched: Any, name: str, out_of: float | None, columns: int, there: bool
) -> None:
    link = replace(launched(PROFILES["plain"]).course.links[0], id="the-link", out_of=out_of)
    lms = launched(PROFILES[name], link=link)
    for number in range(columns):
        lms.column(f"Column {number}", resourceLinkId=link.id)
    said = lms.launch(lms.course.pupils[0], link.id)[ENDPOINT]
    assert ("lineitem" in said) is there
    if there:
        item = lms.get(said["lineitem"], AGS + "lineitem.readonly").json
        assert (item["resourceLinkId"], item["scoreMaximum"]) == (link.id, out_of or 100)


@pytest.mark.parametrize(
    ("name", "labels"),
    [("plain", ["Turtle garden", "Ours"]), ("blackboard", ["Ours"]), ("canvas", ["Turtle garden", "Ours"])],
)
def test_blackboard_lists_the_columns_of_the_tool_alone(launched: Any, name: str, labels: list[str]) -> None:
    link = replace(launched(PROFILES["plain"]).course.links[0], id="the-link", out_of=10)
    lms = launched(PROFILES[name], link=link)
    lms.column("Ours")
    listing = lms.get(f"{lms.path}/lineitems/{lms.course.id}", AGS + "lineitem.readonly")
    assert [one["label"] for one in listing.json] == labels


def test_the_platform_s_own_column_is_made_once(launched: Any, lms: Any) -> None:
    store = lms.parts.store
    for _ in range(2):
        store.begin_own_column("north-valley", "nv-math-5", "a-link", {"label": "Own", "scoreMaximum": 5})
    [(item, body)] = store.line_items("north-valley", "nv-math-5")
    assert body["label"] == "Own"
    assert store.own_columns("north-valley") == {item}
    store.drop_line_item(item)
    assert store.own_columns("north-valley") == frozenset()
