"""A contract that is written out again is the same contract; a joined one has nobody of the other district in it."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import new, parse
from lti_server.privacy.contract_text import joined, written
from lti_server.privacy.model import Family, Origin, Purpose
from lti_server.privacy.schedule import ELEMENTS, NEVER_KEPT
from tests.unit.privacy import contract_text
from tests.unit.privacy.test_contract_file import WHOLE


@st.composite
def terms(draw: st.DrawFn) -> str:
    store = draw(st.booleans())
    days = f", retain_days: {draw(st.integers(1, 36_500))}" if store else ""
    origins = draw(st.sets(st.sampled_from([one.value for one in Origin]), min_size=1))
    purposes = draw(st.sets(st.sampled_from([one.value for one in Purpose]), min_size=1))
    return (
        f"{{collect: true, store: {str(store).lower()}{days}, sources: [{', '.join(origins)}], "
        f"purposes: [{', '.join(purposes)}]}}"
    )


plain = sorted(name for name in ELEMENTS - NEVER_KEPT if not name.endswith(".other") and not name.startswith("none."))


@given(st.dictionaries(st.sampled_from(plain), terms(), min_size=1, max_size=8))
def test_a_contract_survives_being_written_out(elements: dict[str, str]) -> None:
    contract = parse(contract_text.written(elements=elements))
    again = parse(written(contract))
    assert again == contract
    assert compile_policy(again).policy_hash == compile_policy(contract).policy_hash


def test_every_key_survives() -> None:
    text = WHOLE + "statutes: [ferpa, gdpr]\noffer: {signed_at: 2026-08-01, clause: Exhibit E}\n"
    assert parse(written(parse(text))) == parse(text)
    assert parse(written(parse(new(Family.NDPA2, date(2026, 8, 1)))))


def test_a_joined_contract_names_no_recipient_and_no_evaluator_and_offers_nothing() -> None:
    offered = parse(WHOLE + "offer: {signed_at: 2026-08-01, clause: Exhibit E}\n")
    mine = parse(written(joined(offered, signed=date(2027, 1, 5))))
    assert (mine.reports, mine.evaluators, mine.offer) == ((), (), None)
    assert (mine.signed_at, mine.valid_from, mine.valid_to) == (date(2027, 1, 5), date(2027, 1, 5), offered.valid_to)
    assert (mine.elements, mine.subprocessors, mine.limits) == (offered.elements, offered.subprocessors, offered.limits)
