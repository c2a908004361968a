"""The NDPA Schedule of Data (v1, Exhibit B: 24 groups, 61 elements), ours for educators, and which field is which."""

from __future__ import annotations

from types import MappingProxyType

from lti_server.providers.elements import STUDENT_ELEMENTS as ELEMENTS

EDUCATOR_ELEMENTS: frozenset[str] = frozenset({"name", "identifier", "email"})

NAME = "student_name.first_and_or_last"
LOCAL_ID = "student_identifiers.local_district_id"
STATE_ID = "student_identifiers.state_id"
APP_ID = "student_identifiers.app_assigned_id"
USERNAME = "student_identifiers.app_username"
EMAIL = "student_contact.email"
PHONE = "student_contact.phone"
SCHOOL = "enrollment.school_enrollment"
GRADE = "enrollment.grade_level"
BIRTH_DATE = "demographics.date_of_birth"
GENDER = "demographics.gender"
LANGUAGE = "demographics.language"
ETHNICITY = "demographics.ethnicity_or_race"
PERFORMANCE = "in_app_performance.program_performance"
WORK = "student_work.student_generated_content"
COURSES = "schedule.scheduled_courses"
ADDRESS = "app_tech_metadata.ip_cookies"

# Which field of a launch, a member list or a provider's record is which element (design 6.4). A field that stands
# nowhere here is refused. So nobody's picture is kept.
PUPIL_FIELDS = MappingProxyType(
    {
        "name": NAME,
        "given_name": NAME,
        "family_name": NAME,
        "middle_name": NAME,
        "nickname": NAME,
        "full_name": NAME,
        "preferred_name": NAME,
        "sub": APP_ID,
        "user_id": APP_ID,
        "lis.person_sourcedid": LOCAL_ID,
        "lis_person_sourcedid": LOCAL_ID,
        "sis_id": LOCAL_ID,
        "state_id": STATE_ID,
        "preferred_username": USERNAME,
        "username": USERNAME,
        "email": EMAIL,
        "phone": PHONE,
        "phone_number": PHONE,
        "birthdate": BIRTH_DATE,
        "birth_date": BIRTH_DATE,
        "gender": GENDER,
        "ethnicity": ETHNICITY,
        "language": LANGUAGE,
        "school": SCHOOL,
        "grade": GRADE,
    }
)
BIRTH_FIELDS = frozenset(name for name, element in PUPIL_FIELDS.items() if element == BIRTH_DATE)
# No contract lets these be kept of a pupil: a birth date becomes whole years, a telephone number is used by
# whoever typed it and forgotten.
NEVER_KEPT = frozenset({BIRTH_DATE, PHONE})

# What a lesson sends and what the server itself sees, by the names of the progress API and of a request.
WORK_FIELDS = MappingProxyType(
    {
        **dict.fromkeys(("score", "completed", "optimal", "duration_s", "occurred_at"), PERFORMANCE),
        **dict.fromkeys(("work", "answers"), WORK),
        "course_title": COURSES,
        "ip_address": ADDRESS,
    }
)
EDUCATOR_FIELDS = MappingProxyType(
    {
        "name": "name",
        "given_name": "name",
        "family_name": "name",
        "middle_name": "name",
        "nickname": "name",
        "full_name": "name",
        "preferred_name": "name",
        "sub": "identifier",
        "user_id": "identifier",
        "lis.person_sourcedid": "identifier",
        "lis_person_sourcedid": "identifier",
        "sis_id": "identifier",
        "email": "email",
    }
)

# The district's own id has one name at rest, whichever door it came by.
_STORED_PUPIL_FIELDS = MappingProxyType({**PUPIL_FIELDS, "local_id": LOCAL_ID})
_STORED_EDUCATOR_FIELDS = MappingProxyType({**EDUCATOR_FIELDS, "local_id": "identifier"})


def element_at_rest(field: str) -> str | None:
    """The element of a pupil's field as it is named at rest."""
    return _STORED_PUPIL_FIELDS.get(field)


def element_of_educator(field: str) -> str | None:
    """The element of an educator's field as it is named at rest."""
    return _STORED_EDUCATOR_FIELDS.get(field)


def stored_fields(element: str) -> frozenset[str]:
    """The names under which an element of a pupil stands at rest."""
    return frozenset(name for name, found in _STORED_PUPIL_FIELDS.items() if found == element)


def stored_educator_fields(element: str) -> frozenset[str]:
    """The names under which an element of an educator stands at rest."""
    return frozenset(name for name, found in _STORED_EDUCATOR_FIELDS.items() if found == element)


__all__ = [
    "EDUCATOR_ELEMENTS",
    "EDUCATOR_FIELDS",
    "ELEMENTS",
    "PUPIL_FIELDS",
    "stored_educator_fields",
    "stored_fields",
]
