"""Assignment and Grade Services 2.0: line items, scores and results."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, abort, jsonify, make_response, request

from lti_server_demo_lms import scoring
from lti_server_demo_lms.answers import body, is_number, media, problem
from lti_server_demo_lms.listing import Listing
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.profiles import Refusal
from lti_server_demo_lms.world import Course, District

LINE_ITEM = "lis.v2.lineitem+json"
FIELDS = ("label", "scoreMaximum", "resourceId", "resourceLinkId", "tag", "startDateTime", "endDateTime")
FILTERS = {"resourceLinkId": "resource_link_id", "resourceId": "resource_id", "tag": "tag"}


def begin(parts: Parts) -> None:
    """Columns of the platform's own for its graded links, where they are not there yet."""
    for district in parts.config.world.districts:
        for course in district.courses:
            for link in course.links:
                if link.out_of is not None:
                    body = {"label": link.title, "scoreMaximum": link.out_of, "resourceLinkId": link.id}
                    parts.store.begin_own_column(district.slug, course.id, link.id, body)


def listed(parts: Parts, district: District, course: Course) -> Response:
    hidden = frozenset[int]() if parts.config.profile.lists_own_columns else parts.store.own_columns(district.slug)
    rows = [
        {"id": parts.line_item_url(district, course, item), **found}
        for item, found in parts.store.line_items(district.slug, course.id)
        if item not in hidden
        and all(request.args.get(query) in (None, found.get(name)) for name, query in FILTERS.items())
    ]
    return _listing(parts, parts.line_items_url(district, course), "lis.v2.lineitemcontainer+json").page(rows)


def made(parts: Parts, district: District, course: Course) -> Response:
    described = _described(course)
    item = parts.store.add_line_item(district.slug, course.id, described)
    return media({"id": parts.line_item_url(district, course, item), **described}, LINE_ITEM, 201)


def one(parts: Parts, district: District, course: Course, item: int) -> Response:
    """Read, replace or delete a column; its scores go with it."""
    found = _found(parts, district, course, item)
    if request.method == "DELETE":
        parts.store.drop_line_item(item)
        return make_response("", 204)
    if request.method == "PUT":
        found = _described(course)
        parts.store.put_line_item(item, found)
    return media({"id": parts.line_item_url(district, course, item), **found}, LINE_ITEM)


def scored(parts: Parts, district: District, course: Course, item: int) -> Response:
    """AGS 2.0, 3.4: of somebody with a grade in this course, and not before the last one."""
    profile = parts.config.profile
    _found(parts, district, course, item)
    given = body("lis.v1.score+json")
    person = scoring.gradable(profile, district, course, str(given.get("userId")))
    at = scoring.moment(given)
    keeping = scoring.kept(profile, given)
    if given["gradingProgress"] in profile.counted:
        stale: list[Refusal] = []

        def follows(last: datetime) -> bool:
            stale.extend(scoring.stale(profile, last, at))
            return not stale

        if not parts.store.take_score(item, person.id, keeping, at, follows):
            return problem(stale[0].status, stale[0].text)
    if parts.faults.cut():
        return problem(500, "The answer was lost on purpose; the score was taken.")
    url = parts.line_item_url(district, course, item, f"/results/{person.id}")
    return make_response(jsonify(resultUrl=url), 200)


def results(parts: Parts, district: District, course: Course, item: int) -> Response:
    profile = parts.config.profile
    _found(parts, district, course, item)
    wanted = request.args.get("user_id")
    rows = [
        {
            "id": parts.line_item_url(district, course, item, f"/results/{person}"),
            "scoreOf": parts.line_item_url(district, course, item),
            "userId": person,
            "resultScore": score["scoreGiven"],
            "resultMaximum": score["scoreMaximum"],
            **scoring.comment(profile, score, filtered=wanted is not None),
        }
        for person, score in parts.store.scores(item).items()
        if wanted in (None, person) and score["gradingProgress"] == "FullyGraded" and "scoreGiven" in score
    ]
    url = parts.line_item_url(district, course, item, "/results")
    return _listing(parts, url, "lis.v2.resultcontainer+json").page(rows)


def _listing(parts: Parts, url: str, kind: str) -> Listing:
    profile = parts.config.profile
    return Listing(
        url=url, kind=kind, wrap=list, most=parts.config.page_size, form=profile.grades_link,
        unasked=profile.pages_unasked,
    )  # fmt: skip


def _found(parts: Parts, district: District, course: Course, item: int) -> dict[str, Any]:
    """A column; an address that has lost its query names none."""
    found = parts.store.line_item(district.slug, course.id, item)
    wanted = parse_qsl(parts.config.profile.line_item_query)
    if found is None or any(request.args.get(name) != value for name, value in wanted):
        abort(problem(404, "There is no such line item."))
    return found


def _described(course: Course) -> dict[str, Any]:
    given = body(LINE_ITEM)
    label, most, link = given.get("label"), given.get("scoreMaximum"), given.get("resourceLinkId")
    if not isinstance(label, str) or not label.strip():
        abort(problem(400, "label must be a text."))
    if not is_number(most) or most <= 0:
        abort(problem(400, "scoreMaximum must be a number above 0."))
    if link is not None and all(one.id != link for one in course.links):
        abort(problem(400, "resourceLinkId is no link of this course."))
    return {name: given[name] for name in FIELDS if name in given}
