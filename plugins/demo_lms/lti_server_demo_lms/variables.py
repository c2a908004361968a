"""Custom parameters as a launch or a member list carries them: variables that the platform knows are expanded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from lti_server_demo_lms.profiles import CONTEXT_HISTORY, HISTORY, Profile
from lti_server_demo_lms.world import Course, Enrolment, ResourceLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somebody in front of a link, or in front of their course (`link` is None)."""

    course: Course
    enrolment: Enrolment
    link: ResourceLink | None


_VALUES: Mapping[str, Callable[[Place], str | int]] = {
    "User.id": lambda place: place.enrolment.person.id,
    "Person.sourcedId": lambda place: place.enrolment.person.sourcedid,
    "Context.id": lambda place: place.course.id,
    "CourseSection.sourcedId": lambda place: place.course.id,
    "ResourceLink.id": lambda place: place.link.id if place.link else "",
    CONTEXT_HISTORY: lambda place: ",".join(quote(one, safe="") for one in place.course.history),
    HISTORY: lambda place: ",".join(place.link.history) if place.link else "",
    # Canvas writes its own ids as numbers, here and there.
    "Canvas.course.id": lambda place: _number(place.course.id),
    "Canvas.course.sectionIds": lambda place: ",".join(one.id for one in place.enrolment.sections),
    "com.instructure.User.sectionNames": lambda place: json.dumps([one.title for one in place.enrolment.sections]),
}


def custom(profile: Profile, place: Place) -> dict[str, str | int]:
    """LTI Core 1.3, 6.2 (custom properties and variable substitution): what the platform does not know stays."""
    written = {**dict(profile.unasked_custom), **(place.link.custom if place.link else {})}
    return {name: _expanded(profile, place, value) for name, value in written.items()}


def _expanded(profile: Profile, place: Place, value: str) -> str | int:
    name = value.removeprefix("$")
    if name == value or name not in profile.variables:
        return value
    return _VALUES[name](place)


def _number(text: str) -> int:
    """The same number for the same id."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) + 1
