"""What a message says of the courses and links that its own were copied from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti.history import MOST_ORIGINS, History, history_of, origin_ids

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("id"), inner),
)


def test_a_list_of_origins_is_believed_before_the_history() -> None:
    found = history_of([None, ["b", {"id": "a"}]], {"context_id_history": "z"})
    assert found == History(contexts=("b", "a"))


def test_histories_are_url_encoded_ids_with_commas() -> None:
    custom = {"context_id_history": "b%2C1, a%20c", "resource_link_id_history": "l2,l1,l2"}
    assert history_of([], custom) == History(contexts=("b,1", "a c"), links=("l2", "l1"))


def test_a_variable_that_was_not_expanded_says_nothing() -> None:
    custom = {"context_id_history": "$Context.id.history", "resource_link_id_history": "$ResourceLink.id.history"}
    assert history_of([], custom) == History()


def test_an_endless_list_ends() -> None:
    assert len(origin_ids([str(number) for number in range(10_000)])) == MOST_ORIGINS


@given(st.lists(ANYTHING), ANYTHING)
def test_nothing_that_a_message_says_is_a_fault_and_every_id_is_one(said: list[object], custom: object) -> None:
    found = history_of(said, custom)
    assert all(0 < len(one) <= 255 and one.isascii() and one.isprintable() for one in (*found.contexts, *found.links))
