"""Who gets a token, and what a token opens."""

from __future__ import annotations

import time
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from lti_server_demo_lms import Answer


def test_a_right_assertion_gets_the_scopes_that_are_offered(lms: Any) -> None:
    answer = lms.ask_token(lms.assertion(), "https://purl.imsglobal.org/spec/lti-ags/scope/score urn:other")
    assert answer.status_code == 200
    assert answer.json["scope"] == "https://purl.imsglobal.org/spec/lti-ags/scope/score"
    assert answer.json["token_type"] == "Bearer"


def test_an_assertion_serves_once_also_after_a_restart(lms: Any, restarted: Any) -> None:
    assertion = lms.assertion()
    assert lms.ask_token(assertion).status_code == 200
    assert lms.ask_token(assertion).status_code == 401
    assert restarted.ask_token(assertion).json["error"] == "invalid_client"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"sub": "somebody"},
        {"aud": "http://127.0.0.1:8001/river-bend/token"},
        {"aud": None},
        {"jti": None},
        {"iat": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"kid": "another-key"},
    ],
    ids=str,
)
def test_a_wrong_assertion_is_refused(lms: Any, changes: dict[str, Any]) -> None:
    answer = lms.ask_token(lms.assertion(**changes))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("seconds", [{"exp": -120}, {"iat": 600, "exp": 660}, {"exp": 90_000}], ids=str)
def test_an_assertion_of_another_time_is_refused(lms: Any, seconds: dict[str, int]) -> None:
    now = int(time.time())
    answer = lms.ask_token(lms.assertion(**{name: now + later for name, later in seconds.items()}))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_another_key_under_the_right_name_is_refused(lms: Any) -> None:
    assert lms.ask_token(lms.assertion(key=RSAKey.generate_key(2_048))).json["error"] == "invalid_client"


@pytest.mark.parametrize("assertion", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_signed_assertion_is_refused(lms: Any, assertion: str) -> None:
    assert lms.ask_token(assertion).json["error"] == "invalid_client"


def test_the_form_must_be_that_of_client_credentials(lms: Any) -> None:
    assert lms.ask_token(lms.assertion(), grant_type="password").json["error"] == "unsupported_grant_type"
    assert lms.ask_token(lms.assertion(), client_assertion_type="x").json["error"] == "invalid_client"
    assert lms.ask_token(lms.assertion(), scope="urn:other").json["error"] == "invalid_scope"


def test_a_token_opens_its_scopes_in_its_district_alone(lms: Any) -> None:
    score = lms.bearer("https://purl.imsglobal.org/spec/lti-ags/scope/score")
    assert lms.client.get(f"{lms.path}/memberships/{lms.course.id}").status_code == 401
    assert lms.client.get(f"{lms.path}/memberships/{lms.course.id}", headers=score).status_code == 403
    members = lms.bearer("https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly")
    assert lms.client.get(f"{lms.path}/memberships/{lms.course.id}", headers=members).status_code == 200
    assert lms.client.get("/river-bend/memberships/rb-lab-7", headers=members).status_code == 401


def test_no_token_stands_in_the_data_directory(lms: Any, tmp_path: Any) -> None:
    token = lms.bearer("https://purl.imsglobal.org/spec/lti-ags/scope/score")["Authorization"].removeprefix("Bearer ")
    assert all(token.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_faults_are_used_up_in_their_order(lms: Any) -> None:
    lms.faults.token.extend([Answer(429, {"Retry-After": "3"}), Answer(500)])
    first, second, third = (lms.ask_token(lms.assertion()) for _ in range(3))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "3")
    assert (second.status_code, third.status_code) == (500, 200)
