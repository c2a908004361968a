"""Who comes in by ClassLink, as what, and by which id."""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lti_server_classlink import ClassLink
from lti_server_classlink.mapping import administers, own_id, person, role, subject

from lti_server.providers import (
    AuthorizeRequest,
    BrokeContract,
    Callback,
    Misconfigured,
    PersonRole,
    RejectedCredentials,
    SourceIdentity,
)
from lti_server.testing import Exchange, LoginProviderContract
from lti_server.testing.recorded import FakeClock, RecordedTransport, exchanges
from plugins.classlink.tests.test_contract import CONFIG, RECORDING

TOKEN, INFO = exchanges(RECORDING)


def classlink(answers: list[Exchange]) -> ClassLink:
    clock = FakeClock(LoginProviderContract.now)
    return ClassLink(
        config=ClassLink.manifest.read_config(CONFIG), transport=RecordedTransport(answers, clock=clock), clock=clock
    )


def signed_in(info: Any = None, *, token: Exchange = TOKEN) -> SourceIdentity:
    answers = [token, INFO if info is None else dataclasses.replace(INFO, body=info)]
    return classlink(answers).exchange(
        Callback(
            redirect_uri=LoginProviderContract.redirect_uri,
            params={"code": "code-of-the-recording"},
            nonce=LoginProviderContract.nonce,
            code_verifier=LoginProviderContract.code_verifier,
        )
    )


def changed(**values: Any) -> dict[str, Any]:
    assert isinstance(INFO.body, dict)
    return {**INFO.body, **values}


def test_it_is_the_districts_id_and_its_number_is_the_tenant() -> None:
    found = signed_in()
    assert (found.issuer, found.client_id) == ("https://launchpad.classlink.com", "client-of-classlink")
    assert (found.subject, found.tenant) == ("2222|SourcedId|5678_0005", "2222")
    assert (found.person.sis_id, found.person.legacy_ids) == ("5678_0005", ("2222|UserId|480215",))
    assert (found.person.role, found.email_verified, found.tokens) == (PersonRole.PUPIL, False, ())


@pytest.mark.parametrize("sourced_id", ["", None, 7, ["5678"]])
def test_without_a_roster_it_is_classlinks_own_id(sourced_id: object) -> None:
    found = signed_in(changed(SourcedId=sourced_id))
    assert (found.subject, found.person.sis_id, found.person.legacy_ids) == ("2222|UserId|480215", "", ())


@given(st.text(min_size=1), st.integers(0, 10**9), st.integers(1, 10**6))
def test_no_id_that_a_district_gives_is_another_persons_own(sourced_id: str, user_id: int, tenant_id: int) -> None:
    assert subject(str(tenant_id), "1", {"SourcedId": sourced_id}) != own_id(str(tenant_id), str(user_id))


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_same_id_in_two_tenants_is_two_people(one: str, other: str, here: int, there: int) -> None:
    same = subject(str(here), "1", {"SourcedId": one}) == subject(str(there), "1", {"SourcedId": other})
    assert same == ((one, here) == (other, there))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Student", PersonRole.PUPIL),
        ("student", PersonRole.PUPIL),
        ("Teacher", PersonRole.TEACHER),
        (" TEACHER ", PersonRole.TEACHER),
        ("Aide", PersonRole.STAFF),
        ("Tenant  Administrator", PersonRole.STAFF),
        ("Parent", PersonRole.GUARDIAN),
        ("Teacher, Student", PersonRole.OTHER),
        ("", PersonRole.OTHER),
        (None, PersonRole.OTHER),
        (3, PersonRole.OTHER),
        (["Teacher"], PersonRole.OTHER),
    ],
)
def test_a_role_is_a_word_that_is_known_and_without_one_the_stricter_schedule_is_theirs(
    said: object, expected: PersonRole
) -> None:
    assert role(said) is expected


@pytest.mark.parametrize("empty", [None, "", 0, [], {}])
def test_null_empty_and_absent_are_one_and_keep_nobody_out(empty: object) -> None:
    bare = {"UserId": 480215, "TenantId": 2222}
    assert signed_in(bare).person == signed_in(dict.fromkeys(changed(), empty) | bare).person
    assert signed_in(bare).person.present() == {}


def test_a_picture_is_not_looked_at() -> None:
    assert isinstance(INFO.body, dict)
    assert "images.example" not in str(person("2222", "480215", INFO.body).present())


@pytest.mark.parametrize("wrong", [None, "", True, 1.5, -1, "12a", "١٢", "1" * 21, [1], {"a": 1}])
@pytest.mark.parametrize("name", ["UserId", "TenantId"])
def test_an_answer_without_an_id_lets_nobody_in(name: str, wrong: object) -> None:
    with pytest.raises(BrokeContract, match=name):
        signed_in(changed(**{name: wrong}))


@pytest.mark.parametrize("answer", [[], "text", None, 7])
def test_an_answer_that_is_no_record_lets_nobody_in(answer: object) -> None:
    with pytest.raises(BrokeContract):
        signed_in(token=TOKEN, info=answer if answer is not None else [None])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": "invalid_grant"}, RejectedCredentials),
        ({"message": "code is used"}, RejectedCredentials),
        ({"error": "invalid_client"}, Misconfigured),
    ],
)
def test_a_used_code_is_refused_and_a_wrong_secret_is_the_operators(body: object, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        signed_in(token=dataclasses.replace(TOKEN, status=400, body=body))


def test_the_address_asks_for_no_more_than_who_it_is() -> None:
    request = AuthorizeRequest(redirect_uri="https://x.example/cb", state="s", nonce="n", code_verifier="v" * 43)
    asked = parse_qs(urlsplit(classlink([]).authorize(request)).query)
    assert asked == {
        "response_type": ["code"], "client_id": ["client-of-classlink"], "redirect_uri": ["https://x.example/cb"],
        "scope": ["email,profile"], "state": ["s"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Tenant Administrator", True), ("tenant  administrator ", True), ("Administrator", False),
        ("System Administrator", False), ("Teacher", False), ("Tenant Administrator, Student", False), (None, False),
        (["Tenant Administrator"], False),
    ],
)  # fmt: skip
def test_one_role_alone_administers_a_tenant(said: object, expected: bool) -> None:
    assert administers(said) is expected
