"""A policy is what its contract says, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy import schedule
from lti_server.privacy.compile import compile_policy, features_left_off
from lti_server.privacy.contract_file import new, parse
from lti_server.privacy.model import Family, Origin, ProviderTerms, Purpose
from tests.unit.privacy.contract_text import HEAD, TERMS, added, written

TEXTS = {
    "family": "local",
    "valid": "{from: 2026-08-01, to: 2029-08-02}",
    "signed_at": "2026-08-02",
    "purposes": "[instruction, progress_reporting]",
}


@given(order=st.permutations(list(HEAD)), elements=st.permutations(["gender", "language", "place_of_birth"]))
def test_the_order_of_keys_does_not_change_the_hash(order: list[str], elements: list[str]) -> None:
    def file(keys: list[str], named: list[str]) -> str:
        lines = [f"{key}: {HEAD[key]}" for key in keys]
        return "\n".join([*lines, "elements:", *(f"  demographics.{name}: {TERMS}" for name in named)])

    usual = compile_policy(parse(file(list(HEAD), ["gender", "language", "place_of_birth"])))
    assert compile_policy(parse(file(order, elements))) == usual


@given(st.permutations(["instruction", "progress_reporting", "evaluation"]))
def test_the_order_in_a_set_of_words_does_not_change_the_hash(order: list[str]) -> None:
    text = written({"purposes": f"[{', '.join(order)}]"})
    assert compile_policy(parse(text)).policy_hash == compile_policy(parse(written())).policy_hash


@pytest.mark.parametrize("key", TEXTS)
def test_another_term_is_another_hash(key: str) -> None:
    changed = compile_policy(parse(written({key: TEXTS[key]})))
    assert changed.policy_hash != compile_policy(parse(written())).policy_hash


@pytest.mark.parametrize(
    ("old", "new_terms"),
    [
        ("retain_days: 400", "retain_days: 399"),
        ("sources: [school]", "sources: [school, parent]"),
        ("purposes: [instruction]", "purposes: [instruction, evaluation]"),
        ("store: true, retain_days: 400", "store: false"),
    ],
)
def test_other_terms_of_an_element_are_another_hash(old: str, new_terms: str) -> None:
    usual = compile_policy(parse(written(elements={"demographics.gender": TERMS})))
    other = compile_policy(parse(written(elements={"demographics.gender": TERMS.replace(old, new_terms)})))
    assert other.policy_hash != usual.policy_hash


def test_an_element_is_kept_for_its_own_purposes_from_its_own_sources() -> None:
    terms = TERMS.replace("[school]", "[school, parent]").replace("[instruction]", "[evaluation]")
    policy = compile_policy(parse(written(elements={"demographics.gender": terms})))
    kept = {(p, o) for p in Purpose for o in Origin if policy.keeps("demographics.gender", p, o)}
    assert kept == {(Purpose.EVALUATION, Origin.SCHOOL), (Purpose.EVALUATION, Origin.PARENT)}


@pytest.mark.parametrize(
    "terms",
    [
        TERMS.replace("store: true, retain_days: 400", "store: false"),
        TERMS.replace("collect: true, store: true, retain_days: 400", "collect: false, store: false"),
    ],
    ids=["collected, not stored", "not collected"],
)
def test_an_element_that_is_not_stored_is_not_kept(terms: str) -> None:
    policy = compile_policy(parse(written(elements={"demographics.gender": terms})))
    assert not any(policy.keeps("demographics.gender", p, o) for p in Purpose for o in Origin)


def test_what_is_stored_but_not_collected_is_not_kept_though_no_file_can_say_so() -> None:
    contract = parse(written(elements={"demographics.gender": TERMS}))
    terms = replace(contract.elements["demographics.gender"], collect=False)
    policy = compile_policy(replace(contract, elements={"demographics.gender": terms}))
    assert not any(policy.keeps("demographics.gender", p, o) for p in Purpose for o in Origin)


def test_a_contract_that_names_no_provider_allows_any_with_the_gradebook() -> None:
    policy = compile_policy(parse(written()))
    assert policy.allows_provider("lti")
    assert policy.gradebook("anything")


def test_a_contract_that_names_providers_allows_no_other() -> None:
    policy = compile_policy(parse(written(providers="{lti: {gradebook: false}, clever: {}}")))
    assert policy.providers == {"lti": ProviderTerms(gradebook=False), "clever": ProviderTerms()}
    assert [policy.allows_provider(name) for name in ("lti", "clever", "google")] == [True, True, False]
    assert [policy.gradebook(name) for name in ("lti", "clever", "google")] == [False, True, False]


def test_hosts_of_subprocessors_are_compared_without_case() -> None:
    policy = compile_policy(
        parse(written(subprocessors="[{name: A, hosts: [DB.example]}, {name: B, hosts: [b.example]}]"))
    )
    assert policy.subprocessor_hosts == {"db.example", "b.example"}


LEFT_OFF = {
    schedule.NAME: "Learner 7",
    schedule.APP_ID: "No grade goes back",
    schedule.PERFORMANCE: "No progress is saved",
    schedule.WORK: "resumes without",
    schedule.LOCAL_ID: "no shared id",
    schedule.COURSES: "No title of a course",
}


@pytest.mark.parametrize("element", LEFT_OFF)
def test_a_feature_without_its_element_is_said_to_be_left_off(element: str) -> None:
    everything = {
        name: TERMS.replace("school", "student") if name in (schedule.PERFORMANCE, schedule.WORK) else TERMS
        for name in LEFT_OFF
    }
    assert not [line for line in features_left_off(parse(written(elements=everything))) if LEFT_OFF[element] in line]
    del everything[element]
    (said,) = [line for line in features_left_off(parse(written(elements=everything))) if LEFT_OFF[element] in line]
    assert said.endswith(f"({element})")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"providers": "{lti: {gradebook: false}}"}, "(providers.lti.gradebook)"),
        ({"providers": "{clever: {}}"}, "(providers)"),
        ({"educator_elements": "[]"}, "(educator_elements: name)"),
        ({"educator_elements": "[name]"}, "(educator_elements: identifier)"),
        ({}, "(educator_elements: email)"),
        ({}, "(reports)"),
        ({}, "(evaluators)"),
        ({}, "(subprocessors)"),
    ],
)
def test_what_a_contract_does_not_name_is_said_to_be_left_off(more: dict[str, str], said: str) -> None:
    assert [line for line in features_left_off(parse(written() + added(more))) if line.endswith(said)]


def test_a_new_contract_leaves_no_part_of_a_lesson_off() -> None:
    said = " ".join(features_left_off(parse(new(Family.NDPA2, date(2026, 8, 1)))))
    for element in (schedule.NAME, schedule.APP_ID, schedule.PERFORMANCE, schedule.WORK):
        assert element not in said
    assert "providers" not in said
