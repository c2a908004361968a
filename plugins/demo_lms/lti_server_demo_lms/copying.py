"""Copying a course: the same links under new ids, columns without scores, and nobody in it but who teaches."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from lti_server_demo_lms import notices
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.profiles import Profile
from lti_server_demo_lms.world import Course, District, ResourceLink


def copy_course(parts: Parts, district: District, course: Course) -> Course:
    """The copy, as this vendor makes and tells of it. In memory: a restart takes it away."""
    profile, mark = parts.config.profile, uuid4().hex[:8]
    links = tuple(_link(one, mark, profile) for one in course.links)
    made = replace(
        course,
        id=f"{course.id}-{mark}",
        title=f"{course.title} ({mark})",
        enrolments=tuple(one for one in course.enrolments if one.role.teaches),
        links=links,
        history=(course.id, *course.history),
    )
    parts.roster.add(district.slug, made)
    ids = {old.id: new.id for old, new in zip(course.links, links, strict=True)}
    for _, body in parts.store.line_items(district.slug, course.id):
        link = body.get("resourceLinkId")
        copied = {**body, "resourceLinkId": ids[link]} if link in ids else dict(body)
        parts.store.add_line_item(district.slug, made.id, copied)
    if profile.tells_of_copies == "notice":
        notices.tell_of_copy(parts, district, made)
    return made


def _link(link: ResourceLink, mark: str, profile: Profile) -> ResourceLink:
    lost = profile.copies_custom != "kept"
    unexpanded = tuple((name, f"${name}") for name in link.custom) if profile.copies_custom == "unexpanded" else ()
    return replace(
        link,
        id=f"{link.id}-{mark}",
        history=(link.id, *link.history),
        target=link.target if profile.copies_target else None,
        lesson_id=None if lost else link.lesson_id,
        parameters=unexpanded if lost else link.parameters,
        out_of=None,
    )
