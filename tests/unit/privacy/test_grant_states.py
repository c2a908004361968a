"""A grant only moves where a move leads, its epoch never falls, and from a withdrawal no way leads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.errors import Conflict
from lti_server.privacy.grant_states import MOVES, WITHDRAWN, GrantState, Standing, Use

ACTIVE = Standing(GrantState.ACTIVE, 1)
USES = st.frozensets(st.sampled_from(Use), min_size=1)
STEPS = st.lists(st.one_of(st.sampled_from(GrantState), USES), max_size=30)


def step(standing: Standing, wanted: GrantState | frozenset[Use]) -> Standing:
    """One step; a refused one changes nothing."""
    try:
        return standing.moved(wanted) if isinstance(wanted, GrantState) else standing.withdrawn(wanted)
    except Conflict:
        return standing


@given(start=st.sampled_from(GrantState), steps=STEPS)
def test_no_sequence_of_steps_lowers_the_epoch_widens_the_uses_or_leaves_a_withdrawal(
    start: GrantState, steps: list[GrantState | frozenset[Use]]
) -> None:
    standing = Standing(start, 7)
    for wanted in steps:
        after = step(standing, wanted)
        assert after.epoch >= standing.epoch
        assert after.uses <= standing.uses
        if standing.state in WITHDRAWN:
            assert after.state in WITHDRAWN
            assert not any(after.stands(epoch) for epoch in range(20))
        if after.state is GrantState.REVOKING and standing.state is not GrantState.REVOKING:
            assert not after.stands(standing.epoch)
            assert after.epoch == standing.epoch + 1
        standing = after


@given(steps=STEPS)
def test_a_disposed_grant_stays_so(steps: list[GrantState | frozenset[Use]]) -> None:
    standing = Standing(GrantState.DISPOSED, 3)
    for wanted in steps:
        assert step(standing, wanted) == standing


def test_resuming_goes_on_at_the_same_epoch() -> None:
    assert ACTIVE.moved(GrantState.SUSPENDED).moved(GrantState.ACTIVE) == ACTIVE


def test_only_an_active_grant_lets_anything_pass() -> None:
    assert [state for state in GrantState if Standing(state, 1).stands(1)] == [GrantState.ACTIVE]


def test_withdrawing_one_of_two_uses_leaves_the_other_at_the_next_epoch() -> None:
    after = ACTIVE.withdrawn(frozenset({Use.ROSTER}))
    assert after == Standing(GrantState.ACTIVE, 2, frozenset({Use.SIGN_IN}))
    assert not after.stands(1)


def test_withdrawing_the_last_use_ends_the_grant() -> None:
    after = ACTIVE.withdrawn(frozenset({Use.ROSTER})).withdrawn(frozenset({Use.SIGN_IN}))
    assert (after.state, after.epoch, after.uses) == (GrantState.REVOKING, 3, frozenset())


def test_what_is_withdrawn_already_cannot_be_withdrawn_again() -> None:
    with pytest.raises(Conflict, match="not used for that"):
        ACTIVE.withdrawn(frozenset({Use.ROSTER})).withdrawn(frozenset({Use.ROSTER}))


def test_a_refused_move_says_what_to_do_next() -> None:
    with pytest.raises(Conflict, match="Connect it anew"):
        Standing(GrantState.REVOKED, 2).moved(GrantState.ACTIVE)


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(GrantState)
