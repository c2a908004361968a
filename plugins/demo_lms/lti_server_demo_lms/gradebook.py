"""Assignment and Grade Services 2.0: line items, scores and results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, abort, jsonify, make_response, request

from lti_server_demo_lms.answers import body, is_number, media, page, problem
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.world import Course, District, Role

LINE_ITEM = "lis.v2.lineitem+json"
FIELDS = ("label", "scoreMaximum", "resourceId", "resourceLinkId", "tag", "startDateTime", "endDateTime")
FILTERS = {"resourceLinkId": "resource_link_id", "resourceId": "resource_id", "tag": "tag"}
ACTIVITY = frozenset({"Initialized", "Started", "InProgress", "Submitted", "Completed"})
GRADING = frozenset({"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"})


def listed(parts: Parts, district: District, course: Course) -> Response:
    rows = [
        {"id": parts.line_item_url(district, course, item), **found}
        for item, found in parts.store.line_items(district.slug, course.id)
        if all(request.args.get(query) in (None, found.get(name)) for name, query in FILTERS.items())
    ]
    url = parts.line_items_url(district, course)
    return page(parts, rows, url, "lis.v2.lineitemcontainer+json", list)


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
    """AGS 2.0, 3.4: of somebody with a grade in this course, at a later whole second than the last one."""
    _found(parts, district, course, item)
    given = body("lis.v1.score+json")
    enrolment = course.enrolment(str(given.get("userId")))
    if enrolment is None:
        return problem(404, "userId is nobody in this course.")
    if enrolment.role is not Role.PUPIL:
        return problem(422, "This person has no grades here.")
    at = _checked(given)
    if not parts.store.take_score(item, enrolment.person.id, given, at):
        return problem(409, "A score of the same or a later second is here already.")
    if parts.faults.cut():
        return problem(500, "The answer was lost on purpose; the score was taken.")
    url = parts.line_item_url(district, course, item, f"/results/{enrolment.person.id}")
    return make_response(jsonify(resultUrl=url), 200)


def results(parts: Parts, district: District, course: Course, item: int) -> Response:
    _found(parts, district, course, item)
    wanted = request.args.get("user_id")
    rows = [
        {
            "id": parts.line_item_url(district, course, item, f"/results/{person}"),
            "scoreOf": parts.line_item_url(district, course, item),
            "userId": person,
            "resultScore": score["scoreGiven"],
            "resultMaximum": score["scoreMaximum"],
        }
        for person, score in parts.store.scores(item).items()
        if wanted in (None, person) and score["gradingProgress"] == "FullyGraded" and "scoreGiven" in score
    ]
    url = parts.line_item_url(district, course, item, "/results")
    return page(parts, rows, url, "lis.v2.resultcontainer+json", list)


def _found(parts: Parts, district: District, course: Course, item: int) -> dict[str, Any]:
    """A column; an address that has lost its query names none."""
    found = parts.store.line_item(district.slug, course.id, item)
    if found is None or request.args.get("type_id") != "2":
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


def _checked(given: dict[str, Any]) -> datetime:
    """When a score was made; 400 where it says less, or other, than AGS 2.0, 3.4.2 wants."""
    try:
        at = datetime.fromisoformat(str(given.get("timestamp")))
    except ValueError:
        abort(problem(400, "timestamp must be ISO 8601."))
    if at.tzinfo is None:
        abort(problem(400, "timestamp must name its zone."))
    if given.get("activityProgress") not in ACTIVITY or given.get("gradingProgress") not in GRADING:
        abort(problem(400, "activityProgress and gradingProgress must be of the specification."))
    if "scoreGiven" in given:
        score, most = given["scoreGiven"], given.get("scoreMaximum")
        if not is_number(score) or score < 0 or not is_number(most) or most <= 0:
            abort(problem(400, "scoreGiven must be at least 0, and scoreMaximum above 0."))
    return at
