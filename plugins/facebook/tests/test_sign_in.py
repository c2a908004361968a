"""Who comes in by Facebook, and what Facebook's errors are here."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from lti_server_facebook import Facebook

from lti_server.providers import (
    AuthorizeRequest,
    BrokeContract,
    Callback,
    Misconfigured,
    PersonRole,
    RateLimited,
    RejectedCredentials,
    SourceIdentity,
    TokenKind,
    Unavailable,
)
from lti_server.testing import Exchange, LoginProviderContract
from lti_server.testing.recorded import FakeClock, RecordedTransport, exchanges
from plugins.facebook.tests.test_contract import CONFIG, RECORDING

TOKEN, DEBUG, ME, LEAVE = exchanges(RECORDING)


def facebook(answers: list[Exchange], **config: object) -> Facebook:
    clock = FakeClock(LoginProviderContract.now)
    read = Facebook.manifest.read_config({**CONFIG, **config})
    return Facebook(config=read, transport=RecordedTransport(answers, clock=clock), clock=clock)


def signed_in(*, token: Exchange = TOKEN, debug: Exchange = DEBUG, me: Exchange = ME) -> SourceIdentity:
    return facebook([token, debug, me]).exchange(
        Callback(
            redirect_uri=LoginProviderContract.redirect_uri,
            params={"code": "code-of-the-recording"},
            nonce=LoginProviderContract.nonce,
            code_verifier=LoginProviderContract.code_verifier,
        )
    )


def said(exchange: Exchange, body: object, status: int = 200) -> Exchange:
    return dataclasses.replace(exchange, body=body, status=status)


def about_the_token(**changes: Any) -> Exchange:
    assert isinstance(DEBUG.body, dict)
    return said(DEBUG, {"data": {**DEBUG.body["data"], **changes}})


def error(code: object, status: int = 400) -> dict[str, Any]:
    return {"body": {"error": {"message": "…", "type": "OAuthException", "code": code}}, "status": status}


def test_it_is_the_id_that_the_application_knows_and_nobody_is_staff_by_facebooks_word() -> None:
    found = signed_in()
    assert (found.issuer, found.client_id) == ("https://www.facebook.com", "1234567890")
    assert (found.subject, found.tenant, found.email_verified) == ("10226400000000000", "", False)
    assert found.person.role is PersonRole.OTHER
    (token,) = found.tokens
    assert (token.kind, token.expires_at) == (
        TokenKind.ACCESS, LoginProviderContract.now + timedelta(seconds=5_183_944)
    )  # fmt: skip


def test_it_is_for_adults_alone_and_has_no_school_systems() -> None:
    assert (Facebook.manifest.adults_only, Facebook.manifest.tenant) == (True, "")


def test_an_e_mail_that_is_declined_keeps_nobody_out() -> None:
    found = signed_in(me=said(ME, {"id": "10226400000000000", "name": "Grace Hopper"}))
    assert (found.person.email, found.person.full_name) == ("", "Grace Hopper")


@pytest.mark.parametrize(
    "changes", [{"app_id": "999"}, {"app_id": None}, {"is_valid": False}, {"is_valid": "true"}, {"is_valid": None}]
)
def test_a_token_of_another_application_or_one_that_is_over_lets_nobody_in(changes: dict[str, Any]) -> None:
    with pytest.raises(RejectedCredentials):
        signed_in(debug=about_the_token(**changes))


@pytest.mark.parametrize("answer", [{"data": None}, {}, [], {"data": []}])
def test_a_word_about_the_token_that_makes_no_sense_lets_nobody_in(answer: object) -> None:
    with pytest.raises(BrokeContract):
        signed_in(debug=said(DEBUG, answer))


@pytest.mark.parametrize("user_id", ["1", "", None, 10226400000000000])
def test_a_profile_of_another_person_than_the_tokens_lets_nobody_in(user_id: object) -> None:
    with pytest.raises(BrokeContract):
        signed_in(me=said(ME, {"id": user_id, "name": "Eve"}))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (100, RejectedCredentials), (1, Misconfigured), (101, Misconfigured), (4, RateLimited), (17, RateLimited),
        (32, RateLimited), (613, RateLimited), (2, Unavailable), ("1", RejectedCredentials),
        (True, RejectedCredentials),
    ],
)  # fmt: skip
def test_an_error_at_the_token_endpoint_is_what_its_code_says(code: object, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        signed_in(token=dataclasses.replace(TOKEN, **error(code)))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (190, RejectedCredentials), (102, RejectedCredentials), (4, RateLimited), (17, RateLimited), (32, RateLimited),
        (613, RateLimited), (2, Unavailable), (10, BrokeContract), (None, BrokeContract),
    ],
)  # fmt: skip
def test_an_error_of_the_graph_is_what_its_code_says(code: object, expected: type[Exception]) -> None:
    for broken in ({"debug": DEBUG}, {"me": ME}):
        ((name, exchange),) = broken.items()
        with pytest.raises(expected):
            signed_in(**{name: dataclasses.replace(exchange, **error(code))})


def test_an_error_with_a_good_status_is_one() -> None:
    with pytest.raises(RejectedCredentials):
        signed_in(me=dataclasses.replace(ME, **error(190, 200)))


def test_every_permission_is_given_back_and_one_that_is_gone_counts_as_done() -> None:
    token = LoginProviderContract.revoked_token
    facebook([LEAVE]).revoke(token)
    facebook([dataclasses.replace(LEAVE, **error(190))]).revoke(token)
    with pytest.raises(Unavailable):
        facebook([dataclasses.replace(LEAVE, **error(2))]).revoke(token)


def test_the_address_has_the_version_and_asks_for_no_more_than_who_it_is() -> None:
    request = AuthorizeRequest(redirect_uri="https://x.example/cb", state="s", nonce="n", code_verifier="v" * 43)
    address = urlsplit(facebook([], version="v27.0").authorize(request))
    assert address.path == "/v27.0/dialog/oauth"
    assert parse_qs(address.query)["scope"] == ["public_profile,email"]
