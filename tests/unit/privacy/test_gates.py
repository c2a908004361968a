"""The store gate, the purpose of a read, and the disclose gate: what a contract does not say is refused."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.errors import ContractForbids, NoContract
from lti_server.privacy import reading, schedule, store_gate
from lti_server.privacy.collect import collect
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.disclose import Asked, Disclosed, Recipients, refusal
from lti_server.privacy.log import Interest
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind
from lti_server.privacy.reading import NewUse, Reading, for_purpose, must_allow, of_own_data
from lti_server.privacy.store_gate import Leave, leave, leaves, must_cover
from tests.unit.privacy.contract_text import TERMS, written

STUDENT = TERMS.replace("[school]", "[student]")
ELEMENTS = {schedule.NAME: TERMS, schedule.APP_ID: TERMS, schedule.PERFORMANCE: STUDENT, schedule.WORK: STUDENT}


def policy(*without: str, providers: str = "{lti: {}}") -> Policy:
    elements = {name: terms for name, terms in ELEMENTS.items() if name not in without}
    return compile_policy(parse(written(elements=elements, providers=providers)))


def asked(**changes: object) -> Asked:
    values: dict[str, object] = {
        "act": "grade", "party": "grant:x", "recipients": Recipients.GRADEBOOK, "interest": Interest.SCHOOL_OFFICIAL,
        "purpose": Purpose.INSTRUCTION, "elements": frozenset({schedule.APP_ID, schedule.PERFORMANCE}),
        "population": "person", "provider": "lti", "person_id": uuid4(), **changes,
    }  # fmt: skip
    return Asked(**values)  # type: ignore[arg-type]  # a test's own changes


@given(
    st.sampled_from(sorted(schedule.ELEMENTS)), st.sampled_from(Purpose), st.sampled_from(Origin),
    st.sets(st.sampled_from(sorted(ELEMENTS))),
)  # fmt: skip
def test_leave_to_store_is_given_where_the_contract_keeps_an_element_and_says_its_days(
    element: str, purpose: Purpose, origin: Origin, without: set[str]
) -> None:
    allowed = policy(*(without if without != set(ELEMENTS) else ()))
    given_leave = leave(allowed, element, purpose=purpose, origin=origin)
    assert (given_leave is not None) is allowed.keeps(element, purpose, origin)
    assert given_leave is None or given_leave.days == 400


def test_nothing_may_rest_without_a_contract_or_for_days_that_are_no_number() -> None:
    assert leave(None, schedule.NAME, purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL) is None
    broken_days: list[Any] = ["400", None, 0, -1, True, 400.0]
    for days in ({}, *({schedule.NAME: one} for one in broken_days)):
        broken = dataclasses.replace(policy(), retain_days=days)
        assert leave(broken, schedule.NAME, purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL) is None


def test_what_was_collected_under_another_policy_may_not_rest_under_this_one() -> None:
    before, now = policy(), policy(schedule.NAME)
    collected = collect(
        before, SubjectKind.PUPIL, provider="lti", purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL,
        fields={"name": "A"},
    )  # fmt: skip
    for_school = {"purpose": Purpose.INSTRUCTION, "origin": Origin.SCHOOL}
    assert set(leaves(before, SubjectKind.PUPIL, collected, **for_school)) == {"name"}  # type: ignore[arg-type]  # a mapping of words
    assert not leaves(now, SubjectKind.PUPIL, collected, **for_school)  # type: ignore[arg-type]  # a mapping of words
    assert not leaves(None, SubjectKind.PUPIL, collected, **for_school)  # type: ignore[arg-type]  # a mapping of words


def test_a_write_shows_leave_for_its_own_element() -> None:
    given_leave = leave(policy(), schedule.NAME, purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL)
    assert must_cover(given_leave, schedule.NAME) is given_leave
    for shown, element in ((None, schedule.NAME), (given_leave, schedule.WORK), ("a leave", schedule.NAME)):
        with pytest.raises(ContractForbids):
            must_cover(shown, element)


def test_the_gates_alone_make_what_they_give_and_it_does_not_change() -> None:
    with pytest.raises(TypeError, match="store gate"):
        Leave(object(), schedule.NAME, 400, "hash")
    with pytest.raises(TypeError, match="disclose gate"):
        Disclosed(object(), b"", Purpose.INSTRUCTION, "hash")
    with pytest.raises(TypeError):
        Reading(object(), "instruction", frozenset(), frozenset(), "hash", reading.NO_NEW_USE)
    with pytest.raises(TypeError, match="Nothing else is disclosed"):
        type("Mine", (Disclosed,), {})
    given_leave = leave(policy(), schedule.NAME, purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL)
    assert given_leave is not None
    with pytest.raises(AttributeError):
        given_leave.days = 9_999
    with pytest.raises((TypeError, AttributeError)):
        pickle.loads(pickle.dumps(given_leave))
    with pytest.raises(AttributeError):
        for_purpose(policy(), Purpose.INSTRUCTION).purpose = "evaluation"
    assert "Leave" in repr(given_leave)
    assert store_gate.Leave is Leave


@pytest.mark.parametrize("purpose", [None, "", "instruction", "advertising", Purpose.EVALUATION])
def test_a_read_without_a_purpose_or_with_one_that_the_contract_has_not_is_refused(purpose: object) -> None:
    allowed = compile_policy(parse(written({"purposes": "[instruction]"}, elements={schedule.NAME: TERMS})))
    with pytest.raises(ContractForbids):
        for_purpose(allowed, purpose)


def test_a_read_without_a_contract_is_refused() -> None:
    with pytest.raises(NoContract):
        for_purpose(None, Purpose.INSTRUCTION)


def test_a_purpose_reads_its_own_elements_and_no_other() -> None:
    terms = {schedule.NAME: TERMS, schedule.GENDER: TERMS.replace("[instruction]", "[evaluation]")}
    allowed = compile_policy(parse(written(elements=terms, educator_elements="[name]")))
    for_class = for_purpose(allowed, Purpose.INSTRUCTION)
    assert for_class.allows_field("pupil", "given_name")
    assert not for_class.allows_field("pupil", "gender")
    assert not for_class.allows_field("pupil", "shoe_size")
    assert for_class.allows_field("staff", "name")
    assert not for_class.allows_field("staff", "email")
    assert for_purpose(allowed, Purpose.EVALUATION).allows_field("pupil", "gender")
    must_allow(for_class, schedule.NAME)
    for shown in (None, "instruction", for_purpose(allowed, Purpose.EVALUATION)):
        with pytest.raises(ContractForbids):
            must_allow(shown, schedule.NAME)


def test_a_person_reads_whatever_is_kept_of_them() -> None:
    own = of_own_data()
    assert all(own.allows(element) for element in schedule.ELEMENTS)
    assert own.allows_field("pupil", "email")
    assert own.allows_field("staff", "email")


def test_a_value_older_than_its_use_is_read_of_those_who_agreed_alone() -> None:
    began = datetime(2026, 9, 1, tzinfo=UTC)
    agreed, silent = uuid4(), uuid4()
    use = NewUse(MappingProxyType({schedule.NAME: began}), frozenset({agreed}))
    found = for_purpose(policy(), Purpose.INSTRUCTION, use)
    before = began - timedelta(seconds=1)
    assert [found.allows_value(who, "name", before) for who in (agreed, silent)] == [True, False]
    assert found.allows_value(silent, "name", began)
    assert found.allows_value(silent, "local_id", before)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"purpose": Purpose.EVALUATION}, "element"),
        ({"purpose": "advertising"}, "purpose"),
        ({"provider": "clever"}, "provider"),
        ({"elements": frozenset()}, "element"),
        ({"elements": frozenset({"student_name.nick"})}, "element"),
        ({"elements": frozenset({schedule.GENDER})}, "element"),
    ],
)
def test_what_leaves_is_what_the_contract_keeps_for_this_purpose_and_provider(
    changes: dict[str, object], reason: str | None
) -> None:
    assert refusal(policy(providers="{lti: {}}"), asked(**changes)) == reason


def test_no_grade_leaves_without_a_contract_or_a_gradebook() -> None:
    assert refusal(None, asked()) == "no-contract"
    assert refusal(policy(providers="{lti: {gradebook: false}}"), asked()) == "gradebook"
    assert refusal(policy(schedule.APP_ID), asked()) == "element"
