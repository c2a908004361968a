"""The state of a login: what it binds, and to whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.accounts.browser_states import LONGEST_STATE
from lti_server.errors import LaunchRejected
from lti_server.lti.platform_storage import origin_of, storage_target
from lti_server.lti.state import IssuedState, NotBound, StateSigner
from lti_server.privacy.crypto import KeyRing
from tests.clock import FakeClock
from tests.conftest import SECRET

SIGNER = StateSigner(KeyRing.from_secrets([SECRET]), FakeClock())
VALUES = st.text(max_size=60)


def issued(storage_target: str | None = "_parent", **restart: str) -> IssuedState:
    return SIGNER.issue("https://lms.example", "client", "1", storage_target=storage_target, restart=restart)


def test_the_cookie_or_the_stored_value_shows_that_the_login_began_here() -> None:
    made = issued()
    by_cookie = SIGNER.read(made.text, {made.cookie_name: made.cookie_value})
    by_storage = SIGNER.read(made.text, {}, made.stored_value)
    assert by_cookie == by_storage
    assert (by_cookie.nonce, by_cookie.storage_target) == (made.nonce, "_parent")


@given(VALUES, VALUES)
def test_nothing_else_does(cookie: str, stored: str) -> None:
    made = issued()
    with pytest.raises(NotBound) as refused:
        SIGNER.read(made.text, {made.cookie_name: cookie}, stored)
    assert refused.value.refusal.reason == "other-browser"


def test_the_two_secrets_do_not_stand_in_for_each_other() -> None:
    made = issued()
    for cookie, stored in ((made.stored_value, ""), ("", made.cookie_value)):
        with pytest.raises(NotBound):
            SIGNER.read(made.text, {made.cookie_name: cookie}, stored)


def test_a_login_that_was_offered_no_storage_opens_by_its_cookie_alone() -> None:
    made = issued(storage_target=None)
    assert made.stored_value == ""
    for stored in ("", made.cookie_value, None):
        with pytest.raises(NotBound):
            SIGNER.read(made.text, {}, stored)


def test_the_binding_of_another_login_does_not_fit() -> None:
    one, other = issued(), issued()
    with pytest.raises(NotBound):
        SIGNER.read(one.text, {other.cookie_name: other.cookie_value, one.cookie_name: other.cookie_value})
    with pytest.raises(NotBound):
        SIGNER.read(one.text, {}, other.stored_value)


def test_a_state_that_was_changed_is_refused_before_its_binding_is_looked_at() -> None:
    made = issued()
    for text in (made.text[:-1], made.text + "A", "A" + made.text, "x" * (LONGEST_STATE + 1)):
        with pytest.raises(LaunchRejected) as refused:
            SIGNER.read(text, {made.cookie_name: made.cookie_value})
        assert refused.value.reason == "state-forged"


@given(st.text(max_size=3_000), st.text(max_size=3_000))
def test_what_a_login_began_with_comes_back_whole_or_not_at_all(login_hint: str, message_hint: str) -> None:
    made = issued(login_hint=login_hint, lti_message_hint=message_hint)
    assert len(made.text) <= LONGEST_STATE
    back = SIGNER.read(made.text, {}, made.stored_value).restart
    assert back in ({"login_hint": login_hint, "lti_message_hint": message_hint}, {})
    if len((login_hint + message_hint).encode()) <= 500:
        assert back


@pytest.mark.parametrize(
    ("named", "target"),
    [
        ("_parent", "_parent"),
        ("post_message_forwarding", "post_message_forwarding"),
        ("", None),
        ("a b", None),
        ("x\n", None),
        ("x" * 256, None),
    ],
)
def test_a_storage_target_is_the_name_of_a_frame(named: str, target: str | None) -> None:
    assert storage_target({"lti_storage_target": named}) == target
    assert storage_target({}) is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://LMS.example/auth?tenant=7", "https://lms.example"),
        ("https://lms.example:443/auth", "https://lms.example"),
        ("http://localhost:8001/a/auth", "http://localhost:8001"),
        ("http://[::1]:80/auth", "http://[::1]"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin
