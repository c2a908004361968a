"""Which of two populations is the smaller one, and how a contract writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.contract_text import written as as_file
from lti_server.privacy.whom import Everybody, Population, Whom, read, within
from tests.unit.privacy.contract_text import written

some = st.none() | st.frozensets(st.sampled_from("abc"), min_size=1)
populations = st.builds(Population, schools=some, sections=some).filter(lambda one: bool(one.plain()))
everyone = populations | st.just(Everybody.ALL)


@given(everyone, everyone, everyone)
def test_smaller_than_smaller_is_smaller_and_two_that_are_within_each_other_are_the_same(
    one: Whom, two: Whom, three: Whom
) -> None:
    assert within(one, one)
    assert within(one, Everybody.ALL)
    if within(one, two) and within(two, three):
        assert within(one, three)
    if within(one, two) and within(two, one):
        assert one == two


@given(populations)
def test_what_a_contract_says_is_read_again_as_it_was_written(one: Population) -> None:
    assert read(one.plain()) == one
    lists = ", ".join(f"{name}: [{', '.join(said)}]" for name, said in one.plain().items())
    contract = parse(written(providers=f"{{lti: {{population: {{{lists}}}}}}}"))
    assert contract.providers is not None
    assert contract.providers["lti"].population == one
    again = parse(as_file(contract))
    assert again == contract
    assert compile_policy(again).policy_hash == compile_policy(contract).policy_hash


def test_the_order_of_names_does_not_change_the_hash_and_another_name_does() -> None:
    def policy_hash(names: str) -> str:
        return compile_policy(parse(written(providers=f"{{lti: {{population: {{schools: [{names}]}}}}}}"))).policy_hash

    assert policy_hash("Hill, Dale") == policy_hash("Dale, Hill") != policy_hash("Dale")


def test_everybody_has_the_hash_that_it_had_before_a_contract_could_name_less() -> None:
    """A restored server knows a lost contract by it, and decisions that were made under it are looked at again."""
    said = compile_policy(parse(written(providers="{lti: {}}"))).policy_hash
    assert said == compile_policy(parse(written(providers="{lti: {population: all}}"))).policy_hash
    assert said == KNOWN


@pytest.mark.parametrize("lists", ["{schools: [Hill]}", "{sections: [a]}", "{schools: [Hill], sections: [a]}"])
def test_what_is_left_out_is_said_by_contract_check(lists: str) -> None:
    from lti_server.privacy.compile import features_left_off

    said = features_left_off(parse(written(providers=f"{{lti: {{population: {lists}}}}}")))
    assert [line for line in said if line.endswith("(providers.lti.population)")]


KNOWN = "a470a888a78c696f242121f303daefe390bb4582f1b7feea680efe1424a1d2fe"
