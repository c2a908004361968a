"""The launch as this platform says it: claims and signature (LTI Core 1.3, 5)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt

from lti_server_demo_lms.identity import legacy_user_id
from lti_server_demo_lms.keys import PlatformKey
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.profiles import Profile
from lti_server_demo_lms.tokens import AGS, NOTICES
from lti_server_demo_lms.variables import Place, custom
from lti_server_demo_lms.world import ADMINISTRATOR, Course, District, Enrolment, Person, ResourceLink

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
AGS_CLAIM = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS_CLAIM = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
NOTICES_SENT = ("LtiHelloWorldNotice", "LtiContextCopyNotice")
LIFE_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Somebody in front of a link of their course."""

    district: District
    course: Course
    link: ResourceLink
    enrolment: Enrolment
    nonce: str
    locale: str
    framed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyLaunch:
    """An administrator who asks the tool what it keeps; `about` is the person whom they chose, if any."""

    district: District
    administrator: Person
    about: Person | None
    nonce: str
    locale: str


def claims(parts: Parts, launch: Launch) -> dict[str, Any]:
    """Everything that a resource link launch says of this person, course and link."""
    district, course, person = launch.district, launch.course, launch.enrolment.person
    profile, address = parts.config.profile, parts.address(district)
    place = Place(course=course, enrolment=launch.enrolment, link=launch.link)
    return {
        **_envelope(parts, district, person, launch.nonce, launch.locale),
        LTI + "message_type": "LtiResourceLinkRequest",
        LTI + "target_link_uri": launch.link.target or parts.config.launch_url,
        LTI + "resource_link": {"id": launch.link.id, "title": launch.link.title},
        LTI + "roles": [launch.enrolment.role.uri, launch.enrolment.role.institution],
        LTI + "context": {
            "id": course.id,
            "label": course.id,
            "title": course.title,
            "type": ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseSection"],
        },
        LTI + "custom": custom(profile, place),
        LTI + "lis": {"person_sourcedid": person.sourcedid, "course_section_sourcedid": course.id},
        LTI + "launch_presentation": {
            "document_target": "iframe" if launch.framed else "window",
            "locale": launch.locale,
            "return_url": f"{address}/courses/{course.id}",
        },
        **_notices(parts, launch),
        **_services(parts, launch),
    }


def privacy_claims(parts: Parts, launch: PrivacyLaunch) -> dict[str, Any]:
    """Everything that a data privacy launch says: there is no course, no link and no service in it."""
    district = launch.district
    about = {LTI + "for_user": {"user_id": launch.about.id}} if launch.about else {}
    return {
        **_envelope(parts, district, launch.administrator, launch.nonce, launch.locale),
        LTI + "message_type": parts.config.profile.privacy_message,
        LTI + "target_link_uri": parts.config.launch_url,
        LTI + "roles": [ADMINISTRATOR],
        LTI + "launch_presentation": {
            "document_target": "window",
            "locale": launch.locale,
            "return_url": f"{parts.address(district)}/",
        },
        **about,
    }


def _envelope(parts: Parts, district: District, person: Person, nonce: str, locale: str) -> dict[str, Any]:
    """What every message says: from whom to whom, until when, and who is there."""
    profile, now_s = parts.config.profile, int(time.time())
    return {
        "iss": parts.issuer(district),
        "aud": district.client_id,
        "sub": person.id,
        "iat": now_s,
        "exp": now_s + LIFE_S,
        **({"nbf": now_s} if profile.nbf else {}),
        "nonce": nonce,
        **_named(profile, person),
        "locale": locale,
        LTI + "version": "1.3.0",
        LTI + "deployment_id": district.deployment_id,
        LTI + "tool_platform": {"guid": parts.address(district), "name": district.name, **_product(profile)},
    }


def _product(profile: Profile) -> dict[str, str]:
    """LTI Core 1.3, 5.4.3: optional, and Open edX leaves it out."""
    return {"product_family_code": profile.product_family} if profile.product_family else {}


def _named(profile: Profile, person: Person) -> dict[str, Any]:
    """Who somebody is beside their `sub`."""
    legacy = {LTI + "lti1p1": {"user_id": legacy_user_id(person)}} if profile.legacy_user_id else {}
    return {
        "name": person.name,
        "given_name": person.given,
        "family_name": person.family,
        "email": "" if profile.empty_email else person.email,
        **legacy,
    }


def _notices(parts: Parts, launch: Launch) -> dict[str, Any]:
    """The notification service (PNS 1.0), and what the course was copied from where launches say it."""
    profile, found = parts.config.profile, dict[str, Any]()
    if profile.notices:
        found[LTI + "platformnotificationservice"] = {
            "platform_notification_service_url": parts.notices_url(launch.district),
            "scope": [NOTICES],
            "notice_types_supported": list(NOTICES_SENT),
            "service_versions": ["1.0"],
        }
    if launch.course.history and profile.tells_of_copies == "launch":
        found[LTI + "origin_contexts"] = list(launch.course.history)
    return found


def _services(parts: Parts, launch: Launch) -> dict[str, Any]:
    """AGS 2.0, 3.1: `lineitem` is there only where the link has exactly one, or where it is graded itself."""
    district, course = launch.district, launch.course
    items = parts.store.line_items(district.slug, course.id)
    of_link = [item for item, body in items if body.get("resourceLinkId") == launch.link.id]
    grades: dict[str, Any] = {
        "scope": [AGS + scope for scope in ("lineitem", "lineitem.readonly", "result.readonly", "score")],
        "lineitems": parts.line_items_url(district, course),
    }
    if parts.config.profile.line_item_claim == "graded":
        own = parts.store.own_columns(district.slug)
        of_link = [item for item in of_link if item in own]
    if len(of_link) == 1:
        grades["lineitem"] = parts.line_item_url(district, course, of_link[0])
    memberships = {
        "context_memberships_url": parts.memberships_url(district, course),
        "service_versions": ["2.0"],
    }
    return {AGS_CLAIM: grades, NRPS_CLAIM: memberships}


def signed(key: PlatformKey, said: Mapping[str, Any]) -> str:
    """The id_token."""
    header = {"alg": "RS256", "kid": key.kid, "typ": "JWT"}
    return jwt.encode(header, dict(said), key.current, algorithms=["RS256"])
