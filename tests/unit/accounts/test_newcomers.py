"""The name that somebody chooses: seen by whoever reads it, and said as it is written."""

from __future__ import annotations

import pytest

from lti_server.accounts.newcomers import chosen_name
from lti_server.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Cool Coder ", "Cool Coder"),
        ("Łukasz", "Łukasz"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍🚀", "👩‍🚀"),
        ("Ada\u202egnp.", "Adagnp."),
        ("A\x00d\u200ba\ud800", "Ada"),
    ],
)
def test_a_name_is_kept_as_it_is_seen(typed: str, kept: str) -> None:
    assert chosen_name(typed) == kept


@pytest.mark.parametrize("typed", ["", " ", "\u200b\u200d", "\u2003", "\u0301", "x" * 61, "4111 1111 1111 1111"])
def test_what_is_not_seen_is_no_name(typed: str) -> None:
    with pytest.raises(InvalidInput):
        chosen_name(typed)
