"""Who comes in by Clever, as what, and what blocks nobody."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from lti_server_clever import Clever
from lti_server_clever.mapping import administers, birth_date, person, role_of

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
from plugins.clever.tests.test_contract import CONFIG, RECORDING, id_token, with_openid

TOKENS, ME, USER = exchanges(RECORDING)
WITHHELD: list[dict[str, Any]] = [{}, {"roles": None, "name": None, "email": None}, {"roles": {}, "name": {}}]


def clever(answers: list[Exchange], **config: object) -> Clever:
    clock = FakeClock(LoginProviderContract.now)
    return Clever(
        config=Clever.manifest.read_config({**CONFIG, **config}),
        transport=RecordedTransport(answers, clock=clock),
        clock=clock,
    )


def signed_in(answers: list[Exchange], **config: object) -> SourceIdentity:
    return clever(answers, **config).exchange(
        Callback(
            redirect_uri=LoginProviderContract.redirect_uri,
            params={"code": "code-of-the-recording"},
            nonce=LoginProviderContract.nonce,
            code_verifier=LoginProviderContract.code_verifier,
        )
    )


def asked(**config: object) -> Mapping[str, list[str]]:
    request = AuthorizeRequest(redirect_uri="https://x.example/cb", state="s", nonce="n", code_verifier="v" * 43)
    return parse_qs(urlsplit(clever([], **config).authorize(request)).query)


def user(**changed: Any) -> Exchange:
    assert isinstance(USER.body, dict)
    return dataclasses.replace(USER, body={"data": {**USER.body["data"], **changed}})


def test_it_is_who_clever_says_by_its_own_id_and_its_district_is_the_tenant() -> None:
    found = signed_in([TOKENS, ME, USER])
    assert (found.issuer, found.client_id) == ("https://clever.com", "client-of-clever")
    assert (found.subject, found.tenant) == ("5f1a7c0000000000000000a1", "5f1a7c0000000000000000d1")
    assert (found.email_verified, found.tokens) == (False, ())
    assert (found.person.role, found.person.birth_date) == (PersonRole.PUPIL, date(2014, 5, 6))


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (["student"], "pupil"), (["teacher"], "teacher"), (["staff"], "staff"), (["district_admin"], "staff"),
        (["contact"], "guardian"), ([], "other"), (["janitor"], "other"),
        (["staff", "teacher"], "teacher"), (["district_admin", "staff", "teacher"], "teacher"),
        (["teacher", "student"], "pupil"), (["district_admin", "student"], "pupil"), (["contact", "staff"], "staff"),
    ],
)  # fmt: skip
def test_every_role_is_read_staff_over_none_and_a_pupil_never_with_staff(roles: list[str], role: str) -> None:
    assert role_of({"roles": {one: {"legacy_id": "x"} for one in roles}}) == role


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ({"district_admin": {}}, True), ({"district_admin": {}, "teacher": {}}, True), ({"staff": {}}, False),
        ({"district_admin": None}, False), ({"district_admin": True}, False), ({}, False), (None, False),
        ({"district_admin": {}, "student": {}}, False),
    ],
)  # fmt: skip
def test_whoever_clever_calls_a_districts_administrator_administers_it(roles: object, expected: bool) -> None:
    assert administers({"roles": roles}) is expected


def test_a_role_that_is_null_is_none_and_one_of_which_nothing_is_shared_is_one() -> None:
    assert role_of({"roles": {"student": None, "teacher": {}}}) == PersonRole.TEACHER
    assert role_of({"roles": {"teacher": True, "staff": "yes"}}) == PersonRole.OTHER


@pytest.mark.parametrize("said", WITHHELD)
@pytest.mark.parametrize("withheld", [None, "", {}, [], 7])
def test_what_is_withheld_blocks_nobody_and_makes_nobody_a_teacher(said: dict[str, Any], withheld: object) -> None:
    changed = {"name": {"first": withheld, "last": withheld}, "email": withheld, "roles": withheld, **said}
    found = signed_in([TOKENS, ME, user(**changed)])
    assert found.subject == "5f1a7c0000000000000000a1"
    assert (found.person.role, found.person.present()) == (PersonRole.OTHER, {})


@pytest.mark.parametrize("status", [403, 404])
def test_somebody_whom_the_district_does_not_share_is_known_by_the_id_alone(status: int) -> None:
    found = signed_in([TOKENS, ME, dataclasses.replace(USER, status=status, body={"message": "Not found"})])
    assert (found.person.role, found.person.present()) == (PersonRole.OTHER, {})


def test_a_district_id_that_is_not_said_with_the_user_is_the_one_of_me() -> None:
    assert isinstance(USER.body, dict)
    said = {name: value for name, value in USER.body["data"].items() if name != "district"}
    assert signed_in([TOKENS, ME, dataclasses.replace(USER, body={"data": said})]).tenant == "5f1a7c0000000000000000d1"


@pytest.mark.parametrize("changed", [{"id": "another"}, {"id": None}, {"district": "another"}, {"district": None}])
def test_a_user_record_of_somebody_else_signs_nobody_in(changed: dict[str, Any]) -> None:
    with pytest.raises(BrokeContract):
        signed_in([TOKENS, ME, user(**changed)])


@pytest.mark.parametrize("data", [{}, {"id": "a"}, {"district": "d"}, {"id": "", "district": "d"}, {"id": 7}, None, []])
def test_without_an_id_and_a_district_nobody_is_signed_in(data: object) -> None:
    with pytest.raises(BrokeContract):
        signed_in([TOKENS, dataclasses.replace(ME, body={"data": data}), USER])


def test_an_id_cannot_lead_to_another_address() -> None:
    me = dataclasses.replace(ME, body={"data": {"id": "../me?x=", "district": "d"}})
    found = Exchange(url="https://api.clever.com/v3.0/users/..%2Fme%3Fx%3D", body={"data": {"id": "../me?x="}})
    assert signed_in([TOKENS, me, found]).subject == "../me?x="


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Invalid grant: invalid code"},
        {"error": "invalid_grant", "error_description": "invalid code"},
        {"error": "invalid_grant"},
    ],
)
def test_a_used_code_is_told_however_clever_words_it(body: object) -> None:
    with pytest.raises(RejectedCredentials):
        signed_in([dataclasses.replace(TOKENS, status=400, body=body)])


def test_a_wrong_secret_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(Misconfigured):
        signed_in([dataclasses.replace(TOKENS, status=401, body={"error": "invalid_client"})])


def test_the_address_names_the_district_and_asks_for_no_scope() -> None:
    found = asked(district_id="5f1a7c0000000000000000d1")
    assert found["district_id"] == ["5f1a7c0000000000000000d1"]
    assert found.keys() == {"response_type", "client_id", "redirect_uri", "state", "district_id"}
    assert "district_id" not in asked()


def test_with_openid_connect_the_address_has_a_nonce() -> None:
    assert (asked(openid=True)["nonce"], asked(openid=True)["scope"]) == (["n"], ["openid"])


@pytest.mark.parametrize(
    "changed", [{"sub": "another"}, {"district": "another"}, {"nonce": "another"}, {"aud": "another"}, {"iss": "x"}]
)
def test_an_id_token_that_does_not_agree_signs_nobody_in(changed: dict[str, Any]) -> None:
    with pytest.raises(BrokeContract):
        signed_in(with_openid(id_token(**changed)), openid=True)


def test_where_clever_gives_no_id_token_openid_connect_signs_nobody_in() -> None:
    with pytest.raises(BrokeContract):
        signed_in([*with_openid("")], openid=True)


@pytest.mark.parametrize("said", ["", None, "2014-05-06", "13/01/2014", "02/30/2014", "5/6", 5062014, "05/06/2014 x"])
def test_a_birth_date_is_a_day_or_nothing(said: object) -> None:
    assert birth_date(said) is None
    assert birth_date("5/6/2014") == date(2014, 5, 6)


def test_the_districts_own_id_is_that_of_the_role() -> None:
    assert person("a", {"roles": {"staff": {"staff_id": "s-1"}}}).sis_id == "s-1"
    assert person("a", {"roles": {"teacher": {"sis_id": ""}, "staff": {"staff_id": "s-1"}}}).sis_id == "s-1"
    assert person("a", {"roles": {"teacher": {"sis_id": "t-1", "state_id": "9"}}}).state_id == "9"
