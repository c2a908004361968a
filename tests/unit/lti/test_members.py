"""From a row of a member list to our records."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti.members import member
from lti_server.providers.errors import BrokeContract
from lti_server.providers.records import MembershipRole, PersonRole, SourceMembership, SourcePerson

M = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


def row(**changes: Any) -> dict[str, Any]:
    found = {"user_id": "u1", "roles": [M + "Learner"], "status": "Active", "name": "Amina Example", **changes}
    return {name: value for name, value in found.items() if value is not None}


def read(**changes: Any) -> tuple[SourcePerson, SourceMembership]:
    found = member(row(**changes), "course-1")
    assert found is not None
    return found


def test_a_pupil_keeps_each_field_under_the_name_that_the_schedule_knows() -> None:
    person, membership = read(
        given_name="Amina", middle_name="B", family_name="Example", email="a@x.example", lis_person_sourcedid="sis-1"
    )
    assert person == SourcePerson(
        source_id="u1", role=PersonRole.PUPIL, full_name="Amina Example", given_name="Amina", middle_name="B",
        family_name="Example", email="a@x.example", sis_id="sis-1",
    )  # fmt: skip
    assert membership == SourceMembership(
        section_source_id="course-1", person_source_id="u1", role=MembershipRole.PUPIL, active=True
    )


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ([M + "Instructor"], MembershipRole.TEACHER),
        (["Instructor"], MembershipRole.TEACHER),
        (["Learner"], MembershipRole.PUPIL),
        ([M + "Learner", M + "Instructor"], MembershipRole.TEACHER),
    ],
)
def test_roles_in_full_and_in_short_give_the_same(roles: list[str], role: MembershipRole) -> None:
    assert read(roles=roles)[1].role is role


@pytest.mark.parametrize(
    "roles",
    [[], [""], [M + "Mentor"], [M + "Administrator"], [M + "Wizard"], [7],
     [M + "Learner", "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"]],
)  # fmt: skip
def test_who_neither_teaches_nor_learns_is_no_member(roles: list[Any]) -> None:
    assert member(row(roles=roles), "course-1") is None


@pytest.mark.parametrize(
    ("status", "active"), [(None, True), ("Active", True), ("Inactive", False), ("Deleted", False), ("Gone", False)]
)
def test_only_an_active_member_is_there_and_an_absent_status_is_active(status: str | None, active: bool) -> None:
    assert read(status=status)[1].active is active


def test_an_unexpanded_variable_is_no_value() -> None:
    person, _ = read(name="$Person.name.full", email="", lis_person_sourcedid="$Person.sourcedId")
    assert person.present() == {}


def test_a_field_without_a_place_goes_along_to_be_refused_and_counted() -> None:
    person, _ = read(picture="https://x.example/p.png", lti11_legacy_user_id="old", message=[{"a": 1}])
    assert dict(person.extra) == {"picture": "https://x.example/p.png"}


@pytest.mark.parametrize(
    "bad", [None, [], "u1", 7, {}, {"user_id": "u1"}, {"roles": []}, row(user_id=""), row(user_id=7),
            row(user_id="u" * 256), row(roles="Learner")]
)  # fmt: skip
def test_a_row_that_is_no_member_spoils_the_whole_list(bad: Any) -> None:
    with pytest.raises(BrokeContract) as raised:
        member(bad, "course-1")
    assert "u1" not in raised.value.detail


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_a_platform_sends_is_a_member_or_a_broken_contract(anything: Any) -> None:
    for sent in (
        anything,
        {"user_id": "u1", "roles": ["Learner"], "name": anything, "x": anything, "status": anything},
    ):
        try:
            member(sent, "course-1")
        except BrokeContract:
            assert sent is anything
