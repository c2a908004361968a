"""Which field is which element (design 6.4), whole."""

from __future__ import annotations

import pytest

from lti_server.lti.claims import PERSONAL_CLAIMS
from lti_server.privacy.schedule import EDUCATOR_ELEMENTS, EDUCATOR_FIELDS, ELEMENTS, PUPIL_FIELDS

NAMES = ("name", "given_name", "family_name", "middle_name", "nickname", "full_name", "preferred_name")
IDS = ("sub", "user_id")
SHARED_IDS = ("lis.person_sourcedid", "lis_person_sourcedid", "sis_id")
PUPILS = {
    **dict.fromkeys(NAMES, "student_name.first_and_or_last"),
    **dict.fromkeys(IDS, "student_identifiers.app_assigned_id"),
    **dict.fromkeys(SHARED_IDS, "student_identifiers.local_district_id"),
    "state_id": "student_identifiers.state_id",
    "preferred_username": "student_identifiers.app_username",
    "username": "student_identifiers.app_username",
    "email": "student_contact.email",
    "phone": "student_contact.phone",
    "phone_number": "student_contact.phone",
    "birthdate": "demographics.date_of_birth",
    "birth_date": "demographics.date_of_birth",
    "gender": "demographics.gender",
    "ethnicity": "demographics.ethnicity_or_race",
    "language": "demographics.language",
    "school": "enrollment.school_enrollment",
    "grade": "enrollment.grade_level",
}
EDUCATORS = {
    **dict.fromkeys(NAMES, "name"),
    **dict.fromkeys((*IDS, *SHARED_IDS), "identifier"),
    "email": "email",
}


def test_each_field_of_a_pupil_is_its_element_and_no_other_field_is_one() -> None:
    assert dict(PUPIL_FIELDS) == PUPILS


def test_each_field_of_an_educator_is_its_element_and_no_other_field_is_one() -> None:
    assert dict(EDUCATOR_FIELDS) == EDUCATORS


def test_every_field_is_an_element_that_the_schedule_has() -> None:
    assert set(PUPIL_FIELDS.values()) <= ELEMENTS
    assert set(EDUCATOR_FIELDS.values()) == EDUCATOR_ELEMENTS


@pytest.mark.parametrize("field", ["picture", "address", "locale", "zoneinfo", "website"])
def test_a_picture_and_what_nothing_here_uses_is_no_field_of_anybody(field: str) -> None:
    assert field not in PUPIL_FIELDS
    assert field not in EDUCATOR_FIELDS


def test_the_gate_is_asked_about_every_claim_that_tells_of_a_person() -> None:
    """OpenID Connect Core 5.1, but for `sub` and what LTI has its own claim for."""
    standard = {
        "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "address",
    }  # fmt: skip
    assert set(PERSONAL_CLAIMS) >= standard
