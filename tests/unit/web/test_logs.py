"""What must not be in a log is taken out of every line, wherever it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.web.logs import MASK, redact, redacted

SECRETS = [
    "jane.doe+x@school.example",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl",
    "Bearer abc.def",
    "id_token=hidden",
    "postgresql://owner:hunter2@",
    "Yk3v0uT7bqKxJm1zQp9sRwE5hLdNcVfA8gXiOeZtBnM",
]


@pytest.mark.parametrize("secret", SECRETS)
@given(before=st.text(alphabet="ab :/,", max_size=8), after=st.sampled_from(["", " then", "\n", "&x=1", '"']))
def test_a_secret_in_the_middle_of_a_text_is_taken_out(secret: str, before: str, after: str) -> None:
    said = redacted(f"{before} {secret}{after}")
    assert MASK in said
    assert secret not in said


@pytest.mark.parametrize("text", ["7c9e6679-7425-40de-944b-e07fc1f90ae7", "lti launch refused: nonce_spent", "12 rows"])
def test_ids_of_ours_and_plain_words_stay(text: str) -> None:
    assert redacted(text) == text


def test_a_key_that_names_a_person_or_a_secret_loses_its_value() -> None:
    said = redact(None, "info", {"event": "x", "name": "Jane", "email": "j", "token": "t", "status": 403, "ok": True})
    assert said == {"event": "x", "name": MASK, "email": MASK, "token": MASK, "status": 403, "ok": True}


def test_text_inside_of_other_values_is_searched_too() -> None:
    said = redact(
        None, "info", {"event": "x", "rows": ["jane@school.example"], "why": ValueError("jane@school.example")}
    )
    assert "jane" not in str(said)
