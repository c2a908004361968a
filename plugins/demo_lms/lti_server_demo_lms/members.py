"""Names and Role Provisioning Services 2.0: who is in a course."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from lti_server_demo_lms.answers import page
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.world import MEMBERSHIP, Course, District, Enrolment

CONTAINER = "lti-nrps.v2.membershipcontainer+json"


def listed(parts: Parts, district: District, course: Course) -> Response:
    """A role may be asked for by its URI or, as of the context, by its short name (NRPS 2.0, 2.4.1)."""
    role = request.args.get("role")
    wanted = role if role is None or ":" in role else MEMBERSHIP + role
    rows = [_member(one) for one in course.enrolments if wanted in (None, one.role.uri)]
    url = f"{parts.issuer(district)}/memberships/{course.id}"
    context = {"id": course.id, "label": course.id, "title": course.title}
    return page(parts, rows, url, CONTAINER, lambda some: {"id": url, "context": context, "members": list(some)})


def _member(one: Enrolment) -> dict[str, Any]:
    return {
        "user_id": one.person.id,
        "status": "Active",
        "roles": [one.role.uri],
        "name": one.person.name,
        "given_name": one.person.given,
        "family_name": one.person.family,
        "email": one.person.email,
        "lis_person_sourcedid": one.person.sourcedid,
    }
