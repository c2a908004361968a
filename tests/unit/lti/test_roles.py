"""The one table from role URIs to what somebody may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti.roles import Role, is_test_user, role_of

M = "http://purl.imsglobal.org/vocab/lis/v2/membership"
I = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"  # noqa: E741 - reads as the table does
S = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
URN = "urn:lti:role:ims/lis/"
TEACHER, PUPIL, OBSERVER, NONE = Role.TEACHER, Role.PUPIL, Role.OBSERVER, Role.NONE

TABLE: list[tuple[list[str], Role]] = [
    ([], NONE),
    ([""], NONE),
    ([" "], NONE),
    ([f"{M}#Instructor"], TEACHER),
    ([f"{M}#Learner"], PUPIL),
    ([f"{M}#Mentor"], OBSERVER),
    ([f"{M}#Administrator"], NONE),
    ([f"{M}#ContentDeveloper"], NONE),
    ([f"{M}#Manager"], NONE),
    ([f"{M}#Member"], NONE),
    ([f"{M}#Officer"], NONE),
    ([f"{M}#Wizard"], NONE),
    ([f"{M}#instructor"], NONE),
    ([f"{M}#Instructor "], NONE),
    (["Instructor"], TEACHER),
    (["Learner"], PUPIL),
    (["Mentor"], OBSERVER),
    (["Administrator"], NONE),
    (["TeachingAssistant"], TEACHER),
    (["ContentDeveloper"], NONE),
    (["Teacher"], NONE),
    (["learner"], NONE),
    ([f"{M}/Instructor#TeachingAssistant"], TEACHER),
    ([f"{M}/Instructor#TeachingAssistantSection"], TEACHER),
    ([f"{M}/Instructor#PrimaryInstructor"], TEACHER),
    ([f"{M}/Instructor#SecondaryInstructor"], TEACHER),
    ([f"{M}/Instructor#Lecturer"], TEACHER),
    ([f"{M}/Instructor#Grader"], NONE),
    ([f"{M}/Instructor#GuestInstructor"], NONE),
    ([f"{M}/Learner#NonCreditLearner"], PUPIL),
    ([f"{M}/Learner#GuestLearner"], PUPIL),
    ([f"{M}/Learner#Instructor"], PUPIL),
    ([f"{M}/Mentor#LearningCoordinator"], OBSERVER),
    ([f"{M}/Administrator#Support"], NONE),
    ([f"{M}/Wizard#Instructor"], NONE),
    ([f"{M}/Instructor#"], NONE),
    ([f"{M}/Instructor"], NONE),
    ([f"{URN}Instructor"], TEACHER),
    ([f"{URN}Learner"], PUPIL),
    ([f"{URN}Learner/NonCreditLearner"], PUPIL),
    ([f"{URN}Instructor/TeachingAssistant"], TEACHER),
    ([f"{URN}TeachingAssistant"], TEACHER),
    ([f"{URN}Wizard"], NONE),
    (["urn:lti:instrole:ims/lis/Instructor"], NONE),
    (["urn:lti:sysrole:ims/lis/SysAdmin"], NONE),
    ([f"{I}Instructor"], NONE),
    ([f"{I}Faculty"], NONE),
    ([f"{I}Administrator"], NONE),
    ([f"{I}Student"], PUPIL),
    ([f"{I}Learner"], PUPIL),
    ([f"{I}Guest"], NONE),
    ([f"{I}Mentor"], OBSERVER),
    ([f"{S}Administrator"], NONE),
    ([f"{S}User"], NONE),
    ([f"{I}Instructor", f"{M}#Learner"], PUPIL),
    ([f"{I}Administrator", f"{M}#Learner"], PUPIL),
    ([f"{S}SysAdmin", f"{M}#Learner"], PUPIL),
    ([f"{I}Student", f"{M}#Instructor"], TEACHER),
    ([f"{M}#Learner", f"{I}Student", f"{S}User"], PUPIL),
    ([f"{M}#Learner", f"{M}#Instructor"], TEACHER),
    ([f"{M}#Mentor", f"{M}#Learner"], PUPIL),
    ([f"{M}#Mentor", f"{I}Student"], OBSERVER),
    ([f"{M}#Administrator", f"{I}Student"], NONE),
    ([f"{M}#Wizard", f"{I}Student"], NONE),
    (["http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper"], NONE),
    (["http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper", f"{M}#Learner"], PUPIL),
    (["http://evil.example/vocab/lis/v2/membership#Instructor"], NONE),
    ([f"x{M}#Instructor"], NONE),
]


@pytest.mark.parametrize(("roles", "expected"), TABLE, ids=lambda value: str(value)[-60:])
def test_each_set_of_roles_gives_one_role(roles: list[str], expected: Role) -> None:
    assert role_of(roles) is expected
    assert role_of(reversed(roles)) is expected


@given(st.lists(st.text()))
def test_unknown_text_never_grants(roles: list[str]) -> None:
    known = {"Instructor", "TeachingAssistant", "Learner", "Mentor"}
    assert role_of([role for role in roles if role not in known]) is NONE


def test_a_test_user_is_told_apart() -> None:
    assert is_test_user([f"{M}#Learner", "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"])
    assert not is_test_user([f"{M}#Learner"])
