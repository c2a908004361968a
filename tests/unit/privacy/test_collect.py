"""The collect gate keeps what the contract allows, drops the rest, and counts what it drops."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lti_server.privacy import schedule
from lti_server.privacy.collect import MOST_REFUSED_NAMES, Collected, HashOnly, collect
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind
from tests.unit.privacy.contract_text import TERMS, added, written

PUPIL, EDUCATOR = SubjectKind.PUPIL, SubjectKind.EDUCATOR
FIELDS = sorted({*schedule.PUPIL_FIELDS, *schedule.EDUCATOR_FIELDS, "picture", "phone_number", "shoe_size"})
ELEMENTS = sorted({element for element in schedule.PUPIL_FIELDS.values() if element not in schedule.NEVER_KEPT})


def policy(elements: Mapping[str, str], **more: str) -> Policy:
    return compile_policy(parse(written(elements=elements or {"student_contact.address": TERMS}) + added(more)))


EVERYTHING = policy(dict.fromkeys(ELEMENTS, TERMS), educator_elements="[name, identifier, email]")


def ask(
    terms: Policy | None,
    fields: Mapping[str, object],
    kind: SubjectKind = PUPIL,
    *,
    provider: str = "lti",
    purpose: Purpose = Purpose.INSTRUCTION,
    origin: Origin = Origin.SCHOOL,
) -> Collected:
    return collect(terms, kind, provider=provider, purpose=purpose, origin=origin, fields=fields)


def terms_of(collects: bool, stores: bool, origins: list[Origin], purposes: list[Purpose]) -> str:
    stored = "true, retain_days: 9" if stores and collects else "false"
    return (
        f"{{collect: {str(collects).lower()}, store: {stored}, "
        f"sources: [{', '.join(origins)}], purposes: [{', '.join(purposes)}]}}"
    )


some_terms = st.builds(
    terms_of,
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(Origin), min_size=1, unique=True),
    st.lists(st.sampled_from(Purpose), min_size=1, unique=True),
)
some_elements = st.dictionaries(st.sampled_from(ELEMENTS), some_terms, min_size=1)
some_fields = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=80), st.text(max_size=9) | st.integers())
kinds, purposes, origins = st.sampled_from(SubjectKind), st.sampled_from(Purpose), st.sampled_from(Origin)


@given(some_elements, some_fields, purposes, origins)
def test_a_pupils_field_is_kept_only_where_the_contract_collects_and_stores_its_element_for_this_from_there(
    elements: dict[str, str], fields: dict[str, object], purpose: Purpose, origin: Origin
) -> None:
    contract = parse(written(elements=elements))
    found = ask(compile_policy(contract), fields, purpose=purpose, origin=origin)
    for name in found.kept:
        terms = contract.elements[schedule.PUPIL_FIELDS[name]]
        assert terms.collect
        assert terms.store
        assert purpose in terms.purposes
        assert origin in terms.origins


@given(some_elements, some_fields, kinds)
def test_every_value_is_kept_or_counted_and_nothing_but_blanks_is_neither(
    elements: dict[str, str], fields: dict[str, object], kind: SubjectKind
) -> None:
    found = ask(policy(elements), fields, kind)
    blank = [v for v in fields.values() if isinstance(v, str) and not v.replace("\x00", "").strip()]
    counted = sum(found.refused.values())
    assert len(fields) - len(blank) <= len(found.kept) + counted <= len(fields)
    assert set(found.kept) <= set(fields)


@given(some_elements, some_fields, kinds, st.data())
def test_taking_an_element_away_never_keeps_more(
    elements: dict[str, str], fields: dict[str, object], kind: SubjectKind, data: st.DataObject
) -> None:
    assume(len(elements) > 1)
    gone = data.draw(st.sampled_from(sorted(elements)))
    fewer = {name: terms for name, terms in elements.items() if name != gone}
    wide, narrow = ask(policy(elements), fields, kind), ask(policy(fewer), fields, kind)
    assert narrow.kept.items() <= wide.kept.items()
    assert narrow.elements <= wide.elements


@given(st.dictionaries(st.text(max_size=80), st.text(min_size=1)), kinds)
def test_a_field_that_stands_in_no_table_is_never_kept(fields: dict[str, object], kind: SubjectKind) -> None:
    table = schedule.PUPIL_FIELDS if kind is PUPIL else schedule.EDUCATOR_FIELDS
    unknown = {name: value for name, value in fields.items() if name not in table}
    assert not ask(EVERYTHING, unknown, kind).kept


@given(st.dictionaries(st.text(max_size=80), st.just("x"), max_size=200))
def test_the_names_of_what_is_refused_are_few_short_and_plain(fields: dict[str, object]) -> None:
    found = ask(None, fields)
    assert sum(found.refused.values()) == len(fields)
    assert len(found.refused) <= MOST_REFUSED_NAMES + 1
    assert all(
        name.isascii() and len(name) <= 64 and name.replace("_", "").replace(".", "").isalnum()
        for name in found.refused
    )


def test_a_hundred_unknown_names_are_counted_by_name_up_to_fifty_and_the_rest_together() -> None:
    found = ask(EVERYTHING, {f"field_{i}": "x" for i in range(100)})
    assert found.refused["other"] == 50
    assert len(found.refused) == MOST_REFUSED_NAMES + 1


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 65, "1a", "name\n", "<b>", "a@b.example"])
def test_an_odd_name_is_counted_as_other(name: str) -> None:
    assert ask(EVERYTHING, {name: "x"}).refused == {"other": 1}


@pytest.mark.parametrize("kind", SubjectKind)
def test_without_a_contract_everything_is_refused(kind: SubjectKind) -> None:
    found = ask(None, dict.fromkeys(FIELDS, "x"), kind)
    assert not found.kept
    assert found.refused == dict.fromkeys(FIELDS, 1)
    assert (found.elements, found.policy_hash) == (frozenset(), "")


@pytest.mark.parametrize("kind", SubjectKind)
def test_a_provider_that_the_contract_does_not_name_brings_nothing(kind: SubjectKind) -> None:
    named = policy({schedule.NAME: TERMS}, providers="{clever: {}}")
    assert not ask(named, {"name": "Amina", "sub": "1"}, kind).kept
    assert ask(named, {"name": "Amina"}, kind, provider="clever").kept == {"name": "Amina"}


@pytest.mark.parametrize("kind", SubjectKind)
@pytest.mark.parametrize(
    "field", ["picture", "phone_number", "birthdate", "birth_date", "locale", "lti11_legacy_user_id"]
)
def test_what_is_never_kept_is_refused_under_the_widest_contract(kind: SubjectKind, field: str) -> None:
    """A-06 birth dates, A-15 phones, A-17 pictures, and what nothing here uses."""
    found = ask(EVERYTHING, {field: "2015-05-05"}, kind)
    assert (dict(found.kept), found.refused) == ({}, {field: 1})


@pytest.mark.parametrize("field", ["birthdate", "birth_date"])
def test_a_birth_date_is_refused_even_by_a_policy_that_no_file_can_make(field: str) -> None:
    allowing = replace(EVERYTHING, kept={(Purpose.INSTRUCTION, Origin.SCHOOL): frozenset({schedule.BIRTH_DATE})})
    assert ask(allowing, {field: "2015-05-05"}).refused == {field: 1}


def test_a_pupils_email_comes_out_as_something_to_hash_and_never_shows_itself() -> None:
    found = ask(EVERYTHING, {"email": "amina@school.example"})
    assert found.kept == {"email": HashOnly("amina@school.example")}
    assert "amina" not in repr(found.kept["email"])
    assert "amina" not in f"{found.kept['email']}"


def test_an_educators_email_is_kept_as_text_where_the_contract_lists_it() -> None:
    listed = policy({}, educator_elements="[email]")
    assert ask(listed, {"email": "t@school.example"}, EDUCATOR).kept == {"email": "t@school.example"}
    assert not ask(policy({}), {"email": "t@school.example"}, EDUCATOR).kept


def test_an_educator_is_not_judged_by_the_pupils_schedule_nor_a_pupil_by_the_educators() -> None:
    pupils = policy({schedule.NAME: TERMS}, educator_elements="[]")
    educators = policy({}, educator_elements="[name]")
    assert [bool(ask(pupils, {"name": "A"}, kind).kept) for kind in (PUPIL, EDUCATOR)] == [True, False]
    assert [bool(ask(educators, {"name": "A"}, kind).kept) for kind in (PUPIL, EDUCATOR)] == [False, True]


@pytest.mark.parametrize("value", [None, 7, 1.5, True, ["Amina"], {"a": "b"}, b"Amina", "x" * 10_001, "a\ud800"])
def test_a_value_that_is_no_text_of_bearable_length_is_refused(value: Any) -> None:
    found = ask(EVERYTHING, {"name": value})
    assert (dict(found.kept), found.refused) == ({}, {"name": 1})


@pytest.mark.parametrize(
    ("value", "text"), [("  Amina ", "Amina"), ("A\x00mina", "Amina"), ("x" * 10_000, "x" * 10_000), ("آمنة", "آمنة")]
)
def test_text_is_kept_trimmed_and_without_nul(value: str, text: str) -> None:
    assert ask(EVERYTHING, {"name": value}).kept == {"name": text}


@pytest.mark.parametrize("value", ["", "   ", "\x00"])
def test_an_empty_value_is_neither_kept_nor_refused(value: str) -> None:
    found = ask(EVERYTHING, {"name": value, "picture": value})
    assert not found.kept
    assert found.refused == {"picture": 1}


def test_the_decision_names_its_elements_and_its_policy() -> None:
    found = ask(EVERYTHING, {"name": "A", "given_name": "A", "sub": "1", "picture": "p"})
    assert found.elements == {schedule.NAME, schedule.APP_ID}
    assert found.policy_hash == EVERYTHING.policy_hash


def test_nobody_but_the_gate_makes_a_decision() -> None:
    with pytest.raises(TypeError, match="Only the collect gate"):
        Collected(object(), {"name": "Amina"}, {}, frozenset(), "")
    with pytest.raises((TypeError, AttributeError)):
        pickle.loads(pickle.dumps(ask(EVERYTHING, {})))


def test_a_decision_does_not_change() -> None:
    found = ask(EVERYTHING, {"name": "Amina"})
    with pytest.raises(AttributeError):
        found.kept = {"picture": "p"}
    with pytest.raises(TypeError):
        found.kept["picture"] = "p"  # type: ignore[index]  # what is tried is what the type forbids
    assert "Amina" not in repr(found)
