"""The field map of design 6.4, a test for each line: which field is which element, and what the gates make of it."""

from __future__ import annotations

import pytest

from lti_server.privacy import schedule
from lti_server.privacy.collect import HashOnly, collect
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind
from lti_server.privacy.schedule import EDUCATOR_FIELDS, PUPIL_FIELDS, WORK_FIELDS
from tests.unit.privacy.contract_text import TERMS, written

# The lines of the map, each with its fields and its element.
PUPIL_LINES = {
    "pupil names": (
        ("name", "given_name", "family_name", "middle_name", "nickname", "full_name", "preferred_name"),
        "student_name.first_and_or_last",
    ),
    "SIS or sourcedId, lis.person_sourcedid": (
        ("sis_id", "lis.person_sourcedid", "lis_person_sourcedid"), "student_identifiers.local_district_id",
    ),
    "state id": (("state_id",), "student_identifiers.state_id"),
    "LTI sub, provider's own user id": (("sub", "user_id"), "student_identifiers.app_assigned_id"),
    "user name": (("username", "preferred_username"), "student_identifiers.app_username"),
    "school": (("school",), "enrollment.school_enrollment"),
    "grade": (("grade",), "enrollment.grade_level"),
    "gender": (("gender",), "demographics.gender"),
    "ethnicity": (("ethnicity",), "demographics.ethnicity_or_race"),
    "language": (("language",), "demographics.language"),
}  # fmt: skip
HERE_LINES = {
    "class and course titles": (("course_title",), "schedule.scheduled_courses"),
    "attempts, scores": (
        ("score", "completed", "optimal", "duration_s", "occurred_at"), "in_app_performance.program_performance",
    ),
    "submitted code, answers": (("work", "answers"), "student_work.student_generated_content"),
    "IP": (("ip_address",), "app_tech_metadata.ip_cookies"),
}  # fmt: skip


def policy(*elements: str, educators: str = "[]") -> Policy:
    named = dict.fromkeys(elements or ("conduct.conduct_or_behavioral",), TERMS)
    return compile_policy(parse(written(elements=named, educator_elements=educators)))


def kept(allowed: Policy, field: str, kind: SubjectKind = SubjectKind.PUPIL) -> object:
    found = collect(
        allowed, kind, provider="lti", purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL, fields={field: "a value"}
    )
    assert set(found.kept) | set(found.refused) == {field}
    return found.kept.get(field)


@pytest.mark.parametrize("line", PUPIL_LINES)
def test_a_field_is_kept_with_its_element_and_refused_with_every_other(line: str) -> None:
    fields, element = PUPIL_LINES[line]
    others = sorted(schedule.ELEMENTS - {element} - schedule.NEVER_KEPT)
    terms = {**dict.fromkeys(others, TERMS)}
    for name in [one for one in others if one.endswith(".other")]:
        terms[name] = TERMS.replace("}", ", specify: x}")
    terms.pop("none.no_student_data_collected")
    all_others = compile_policy(parse(written(elements=terms)))
    for field in fields:
        assert PUPIL_FIELDS[field] == element
        assert kept(policy(element), field) == "a value"
        assert kept(all_others, field) is None


def test_a_pupils_e_mail_is_kept_as_a_hash_alone() -> None:
    assert kept(policy("student_contact.email"), "email") == HashOnly("a value")
    assert kept(policy(), "email") is None


@pytest.mark.parametrize("field", ["birthdate", "birth_date", "phone", "phone_number"])
def test_a_birth_date_and_a_phone_are_kept_under_no_contract(field: str) -> None:
    element = PUPIL_FIELDS[field]
    never = TERMS.replace("store: true, retain_days: 400", "store: false")
    assert element in ("demographics.date_of_birth", "student_contact.phone")
    assert kept(compile_policy(parse(written(elements={element: never}))), field) is None


@pytest.mark.parametrize("line", HERE_LINES)
def test_what_arises_here_is_its_element(line: str) -> None:
    fields, element = HERE_LINES[line]
    assert {WORK_FIELDS[field] for field in fields} == {element}


def test_nothing_else_stands_in_the_map() -> None:
    named = {field for fields, _ in (*PUPIL_LINES.values(), *HERE_LINES.values()) for field in fields}
    assert named == {*PUPIL_FIELDS, *WORK_FIELDS} - {"email", "birthdate", "birth_date", "phone", "phone_number"}


@pytest.mark.parametrize(("element", "fields"), [
    ("name", ("name", "given_name", "family_name", "middle_name", "nickname", "full_name", "preferred_name")),
    ("identifier", ("sub", "user_id", "sis_id", "lis.person_sourcedid", "lis_person_sourcedid")),
    ("email", ("email",)),
])  # fmt: skip
def test_teacher_name_id_and_e_mail_are_educator_elements(element: str, fields: tuple[str, ...]) -> None:
    others = [one for one in ("name", "identifier", "email") if one != element]
    for field in fields:
        assert EDUCATOR_FIELDS[field] == element
        assert kept(policy(educators=f"[{element}]"), field, SubjectKind.EDUCATOR) == "a value"
        assert kept(policy(educators=f"[{', '.join(others)}]"), field, SubjectKind.EDUCATOR) is None


def test_a_contract_without_names_has_neutral_names_and_without_ids_no_grades() -> None:
    from lti_server.privacy.compile import features_left_off

    said = " ".join(features_left_off(parse(written(elements={"conduct.conduct_or_behavioral": TERMS}))))
    assert "Learner 7" in said
    assert "No grade goes back to the LMS" in said
