"""Members, line items, scores and results as a tool sees them."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from lti_server_demo_lms import Answer

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


def pages(lms: Any, address: str, scope: str) -> list[Any]:
    """Every page's body, by following the links."""
    found, headers = [], lms.bearer(scope)
    while address:
        answer = lms.client.get(address, headers=headers)
        assert answer.status_code == 200, answer.text
        found.append(answer.json)
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        address = link[1] if link else ""
    return found


def members(lms: Any, query: str = "") -> list[list[dict[str, Any]]]:
    return [page["members"] for page in pages(lms, f"{lms.path}/memberships/{lms.course.id}{query}", NRPS)]


def test_a_class_comes_in_pages_of_ten_with_everybody_once(lms: Any) -> None:
    found = members(lms)
    assert [len(page) for page in found] == [10, 10, 6]
    assert {one["user_id"] for page in found for one in page} == {one.person.id for one in lms.course.enrolments}


def test_limit_and_role_hold_on_every_page(lms: Any) -> None:
    found = members(lms, "?limit=7&role=Learner")
    assert [len(page) for page in found] == [7, 7, 7, 3]
    assert all(one["roles"] == ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"] for one in found[-1])
    assert [len(page) for page in members(lms, "?limit=500&role=Instructor")] == [2]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "page=-1", "page=٣"])
def test_a_page_that_is_no_number_is_refused(lms: Any, query: str) -> None:
    answer = lms.client.get(f"{lms.path}/memberships/{lms.course.id}?{query}", headers=lms.bearer(NRPS))
    assert answer.status_code == 400


def test_line_items_are_filtered_and_found_by_their_own_address(lms: Any) -> None:
    link = lms.course.links[0].id
    column = lms.column(resourceId="ours & theirs", resourceLinkId=link)
    lms.column(tag="other")
    listing = f"{lms.path}/lineitems/{lms.course.id}?type_id=2&resource_id=ours+%26+theirs&resource_link_id={link}"
    [found] = pages(lms, listing, AGS + "lineitem.readonly")
    assert [urlsplit(one["id"]).path for one in found] == [column.partition("?")[0]]
    assert pages(lms, f"{lms.path}/lineitems/{lms.course.id}?tag=none", AGS + "lineitem") == [[]]
    headers = lms.bearer(AGS + "lineitem")
    assert lms.client.get(column, headers=headers).json["label"] == "Turtle garden"
    assert lms.client.get(column.partition("?")[0], headers=headers).status_code == 404


def test_a_column_is_renamed_and_deleted_with_its_scores(lms: Any) -> None:
    column, headers = lms.column(), lms.bearer(AGS + "lineitem")
    body = json.dumps({"label": "New name", "scoreMaximum": 10})
    media = "application/vnd.ims.lis.v2.lineitem+json"
    assert lms.client.put(column, data=body, headers=headers, content_type=media).json["label"] == "New name"
    assert lms.client.delete(column, headers=headers).status_code == 204
    assert lms.score(column, lms.course.pupils[0].id).status_code == 404


def test_a_score_must_be_of_a_later_second(lms: Any) -> None:
    column, pupil = lms.column(), lms.course.pupils[0].id
    assert lms.score(column, pupil, "2026-11-24T10:00:00.000Z").status_code == 200
    assert lms.score(column, pupil, "2026-11-24T10:00:00.900Z", scoreGiven=90).status_code == 409
    assert lms.score(column, pupil, "2026-11-24T10:59:00+01:00", scoreGiven=90).status_code == 409
    assert lms.score(column, pupil, "2026-11-24T10:00:01.000Z", scoreGiven=90).status_code == 200
    assert lms.score(column, lms.course.pupils[1].id, "2026-11-24T09:00:00.000Z").status_code == 200
    assert result(lms, column, pupil) == [(90, 100)]


def result(lms: Any, column: str, person_id: str) -> list[tuple[float, float]]:
    address = column.replace("?", "/results?") + f"&user_id={person_id}"
    [rows] = pages(lms, address, AGS + "result.readonly")
    return [(row["resultScore"], row["resultMaximum"]) for row in rows]


def test_scores_are_for_pupils_of_the_course_alone(lms: Any) -> None:
    column = lms.column()
    assert lms.score(column, "nobody").status_code == 404
    assert lms.score(column, lms.district.courses[1].pupils[-1].id).status_code == 404
    assert lms.score(column, lms.course.teachers[0].id).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"scoreMaximum": 0},
        {"scoreMaximum": None},
        {"scoreGiven": -1},
        {"scoreGiven": "80"},
        {"at": "yesterday"},
        {"at": "2026-11-24T10:00:00"},
        {"activityProgress": "Done"},
        {"gradingProgress": None},
    ],
    ids=str,
)
def test_a_score_that_says_too_little_is_refused(lms: Any, changes: dict[str, Any]) -> None:
    assert lms.score(lms.column(), lms.course.pupils[0].id, **changes).status_code == 400


def test_a_cut_score_was_taken(lms: Any) -> None:
    column, pupil = lms.column(), lms.course.pupils[0].id
    lms.faults.cut_after_score = 1
    assert lms.score(column, pupil).status_code == 500
    assert lms.score(column, pupil).status_code == 409
    assert result(lms, column, pupil) == [(80, 100)]


def test_a_faulty_score_was_not_taken(lms: Any) -> None:
    column, pupil = lms.column(), lms.course.pupils[0].id
    lms.faults.score.append(Answer(503))
    assert lms.score(column, pupil).status_code == 503
    assert lms.score(column, pupil).status_code == 200


def test_keys_and_scores_outlive_a_restart(lms: Any, restarted: Any) -> None:
    column, pupil = lms.column(), lms.course.pupils[0].id
    lms.score(column, pupil)
    assert result(restarted, column, pupil) == [(80, 100)]
    assert lms.client.get(f"{lms.path}/jwks").json == restarted.client.get(f"{lms.path}/jwks").json
    assert "d" not in lms.client.get(f"{lms.path}/jwks").json["keys"][0]
