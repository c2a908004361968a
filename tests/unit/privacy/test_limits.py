"""Of each number the strictest holds, with the clause that it comes from; what nobody set is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.errors import ContractForbids
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.limits import KINDS, LAWS, STATUTES, Kind, limit_of, strictest, strictest_of
from lti_server.privacy.model import Limit
from tests.unit.privacy.contract_text import written

laws = st.sets(st.sampled_from(sorted(LAWS)))
names = st.sampled_from(sorted(KINDS))
agreed = st.dictionaries(names, st.builds(Limit, value=st.integers(0, 36_500), clause=st.just("Art. X")))


@given(agreed=agreed, laws=laws)
def test_no_number_in_force_is_laxer_than_the_contracts_or_a_laws(agreed: dict[str, Limit], laws: set[str]) -> None:
    found = strictest(agreed, laws)
    said = [(name, one.value) for name, one in agreed.items()]
    said += [(one.limit, one.value) for one in STATUTES if one.law in laws]
    for name, value in said:
        assert found[name].value <= value if KINDS[name] is Kind.AT_MOST else found[name].value >= value


@given(agreed=agreed, laws=laws)
def test_every_number_in_force_is_one_that_somebody_set_with_that_clause(
    agreed: dict[str, Limit], laws: set[str]
) -> None:
    said = {(name, one.value, one.clause) for name, one in agreed.items()}
    said |= {(one.limit, one.value, one.clause) for one in STATUTES if one.law in {*laws, "exhibit_e"}}
    assert {(name, one.value, one.clause) for name, one in strictest(agreed, laws).items()} <= said


def test_where_both_say_the_same_the_contract_is_named() -> None:
    found = strictest({"access_days": Limit(value=45, clause="Art. II 2")}, ["ferpa"])
    assert found["access_days"].clause == "Art. II 2"


def test_a_law_that_is_stricter_than_the_contract_takes_its_place() -> None:
    policy = compile_policy(
        parse(written(limits="{access_days: {value: 90, clause: Art. II 2}}", statutes="[ferpa, gdpr]"))
    )
    assert policy.limits["access_days"] == Limit(value=28, clause="GDPR Art. 12(3), one month at its shortest")


def test_a_law_that_the_contract_does_not_name_does_not_count() -> None:
    policy = compile_policy(parse(written(limits="{access_days: {value: 90, clause: Art. II 2}}")))
    assert policy.limits["access_days"].value == 90


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"offer_years"}))
def test_a_number_that_nobody_set_is_refused(name: str) -> None:
    with pytest.raises(ContractForbids, match=name):
        limit_of(strictest({}), name)


@pytest.mark.parametrize("value", ["10", None, 10.0, True, -1, [10]])
def test_a_value_of_another_type_is_refused(value: object) -> None:
    broken = Limit(value=value, clause="Art. X")  # type: ignore[arg-type]  # what a broken store might bring
    with pytest.raises(ContractForbids, match="no number"):
        limit_of({"min_n": broken}, "min_n")
    with pytest.raises(ContractForbids, match="no number"):
        strictest({"access_days": broken}, ["ferpa"])


def test_a_number_without_a_clause_is_refused() -> None:
    with pytest.raises(ContractForbids):
        limit_of({"min_n": Limit(value=10, clause="")}, "min_n")


def test_over_several_contracts_the_strictest_is_found_and_one_that_is_silent_refuses() -> None:
    def hours(value: int) -> dict[str, Limit]:
        return {"breach_notice_hours": Limit(value=value, clause=f"Art. {value}")}

    assert strictest_of("breach_notice_hours", [hours(120), hours(72), hours(240)]).clause == "Art. 72"
    with pytest.raises(ContractForbids):
        strictest_of("breach_notice_hours", [hours(72), {}])
    with pytest.raises(ContractForbids):
        strictest_of("breach_notice_hours", [])


def test_every_statute_sets_a_number_that_is_known() -> None:
    assert {one.limit for one in STATUTES} <= set(KINDS)
    assert all(one.clause and one.value > 0 for one in STATUTES)
