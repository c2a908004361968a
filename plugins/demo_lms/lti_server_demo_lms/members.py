"""Names and Role Provisioning Services 2.0: who is in a course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, request

from lti_server_demo_lms.answers import problem
from lti_server_demo_lms.identity import legacy_user_id
from lti_server_demo_lms.listing import Listing, whole
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.profiles import Profile
from lti_server_demo_lms.roster import Status
from lti_server_demo_lms.variables import Place, custom
from lti_server_demo_lms.world import MEMBERSHIP, Course, District, Enrolment, ResourceLink, Role

CONTAINER = "lti-nrps.v2.membershipcontainer+json"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """For which link, or with None for which course, a member's `message` is asked (`rlid`)."""

    course: Course
    link: ResourceLink | None


def listed(parts: Parts, district: District, course: Course) -> Response:
    """All members or, with `since`, those who changed after it.

    A role may be asked for by its URI or, as of the context, by its short name (NRPS 2.0, 2.4.1).
    """
    profile = parts.config.profile
    message = _message(profile, course)
    since = request.args.get("since")
    seats = _now(parts, district, course) if since is None else _changed(parts, district, course, whole("since", 1) - 1)
    role = None if message and profile.rlid_beats_role else request.args.get("role")
    wanted = role if role is None or ":" in role else MEMBERSHIP + role
    rows = [
        _member(profile, one, status, message) for one, status in seats if wanted in (None, _role(profile, one).uri)
    ]
    return _listing(parts, district, course).page(rows)


def _listing(parts: Parts, district: District, course: Course) -> Listing:
    profile, url = parts.config.profile, parts.memberships_url(district, course)
    context = {"id": course.id, "label": course.id, "title": course.title}
    as_of = whole("as_of", parts.roster.number + 1) - 1
    return Listing(
        url=url,
        kind=CONTAINER,
        wrap=lambda some: {"id": url, "context": context, "members": list(some)},
        most=profile.members_page or parts.config.page_size,
        form=profile.members_link,
        unasked=profile.pages_unasked,
        most_unpaged=profile.most_unpaged,
        next_drops=profile.next_drops,
        # What changes while the pages are read is in the differences after them.
        carried={"as_of": str(as_of + 1)} if profile.differences else {},
        more=f'<{url}?{urlencode({"since": as_of + 1})}>; rel="differences"' if profile.differences else None,
        faults=parts.faults.members_pages,
    )


def _message(profile: Profile, course: Course) -> _Message | None:
    rlid = request.args.get("rlid")
    if rlid is None:
        return None
    link = next((one for one in course.links if one.id == rlid), None)
    if link is None and not (profile.rlid_context and rlid == course.id):
        abort(problem(400, "rlid is no link of this course."))
    return _Message(course=course, link=link)


def _now(parts: Parts, district: District, course: Course) -> list[tuple[Enrolment, Status]]:
    profile = parts.config.profile
    seats: list[tuple[Enrolment, Status]] = [(one, "Active") for one in course.enrolments]
    if not profile.leavers_vanish:
        seats += [(one, "Inactive") for one in parts.roster.inactive(district.slug, course.id)]
    if not profile.only_launched:
        return seats
    known = parts.store.have_launched(district.slug)
    return [(one, status) for one, status in seats if one.person.id in known]


def _changed(parts: Parts, district: District, course: Course, since: int) -> list[tuple[Enrolment, Status]]:
    return [(one.enrolment, one.status) for one in parts.roster.changes(district.slug, course.id, since)]


def _role(profile: Profile, one: Enrolment) -> Role:
    return Role.PUPIL if one.role is Role.ASSISTANT and profile.assistants_are_learners else one.role


def _member(profile: Profile, one: Enrolment, status: Status, message: _Message | None) -> dict[str, Any]:
    uri = _role(profile, one).uri
    said: dict[str, Any] = {
        "user_id": one.person.id,
        "status": status,
        "roles": [uri.removeprefix(MEMBERSHIP) if profile.short_roles else uri],
        "name": one.person.name,
        "given_name": one.person.given,
        "family_name": one.person.family,
        "email": "" if profile.empty_email else one.person.email,
        "lis_person_sourcedid": one.person.sourcedid,
    }
    if profile.legacy_user_id:
        said["lti11_legacy_user_id"] = legacy_user_id(one.person)
    if message is not None:
        place = Place(course=message.course, enrolment=one, link=message.link)
        said["message"] = [{LTI + "message_type": "LtiResourceLinkRequest", LTI + "custom": custom(profile, place)}]
    return said
