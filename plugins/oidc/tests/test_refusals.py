"""What an ID token, a callback or a provider must not be: refused, each by its reason, and nobody is signed in."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_oidc import OpenIdConnect

from lti_server.providers import BrokeContract, Callback, Misconfigured, RejectedCredentials, SourceIdentity
from lti_server.testing import Exchange, LoginProviderContract
from lti_server.testing.recorded import FakeClock, RecordedTransport
from plugins.oidc.tests.test_contract import CONFIG, DISCOVERY, ISSUER, KEY, id_token, recording

NOW = int(LoginProviderContract.now.timestamp())


def signed_in(
    answers: list[Exchange], params: dict[str, str] | None = None, config: dict[str, object] | None = None
) -> SourceIdentity:
    clock = FakeClock(LoginProviderContract.now)
    plugin = OpenIdConnect(
        config=OpenIdConnect.manifest.read_config({**CONFIG, **(config or {})}),
        transport=RecordedTransport(answers, clock=clock),
        clock=clock,
    )
    callback = Callback(
        redirect_uri=LoginProviderContract.redirect_uri,
        params=params or {"code": "code-of-the-recording"},
        nonce=LoginProviderContract.nonce,
        code_verifier=LoginProviderContract.code_verifier,
    )
    return plugin.exchange(callback)


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def without(name: str) -> str:
    claims = {key: value for key, value in jwt.decode(id_token(), KEY).claims.items() if key != name}
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)


def unsigned() -> str:
    return f"{part({'alg': 'none'})}.{id_token().split('.')[1]}."


def signed_with_the_public_key() -> str:
    text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{id_token().split('.')[1]}"
    made = hmac.digest(KEY.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def signed_by(kid: str) -> str:
    stranger = RSAKey.generate_key(2048, {"kid": kid})
    return jwt.encode({"alg": "RS256", "kid": kid}, jwt.decode(id_token(), KEY).claims, stranger)


TOKENS = {
    "another issuer": lambda: id_token(iss="https://id.other.example"),
    "the issuer with a slash": lambda: id_token(iss=ISSUER + "/"),
    "an issuer that is no text": lambda: id_token(iss=[ISSUER]),
    "another client": lambda: id_token(aud="another"),
    "a list of clients without this one": lambda: id_token(aud=["another"]),
    "another client that names this one as its party": lambda: id_token(aud="another", azp="lti-server"),
    "several clients and no party": lambda: id_token(aud=["lti-server", "another"]),
    "another authorised party": lambda: id_token(azp="another"),
    "no nonce": lambda: without("nonce"),
    "the nonce of another sign-in": lambda: id_token(nonce="another"),
    "expired": lambda: id_token(iat=NOW - 7200, exp=NOW - 3600),
    "from the future": lambda: id_token(iat=NOW + 3600, exp=NOW + 7200),
    "not valid yet": lambda: id_token(nbf=NOW + 3600),
    "for a year": lambda: id_token(exp=NOW + 366 * 86_400),
    "of last week": lambda: id_token(iat=NOW - 7 * 86_400),
    "no expiry": lambda: without("exp"),
    "no time of issue": lambda: without("iat"),
    "times that are text": lambda: id_token(exp="soon"),
    "no subject": lambda: without("sub"),
    "an empty subject": lambda: id_token(sub=""),
    "a subject that is a number": lambda: id_token(sub=7),
    "a subject too long": lambda: id_token(sub="x" * 256),
    "no signature": unsigned,
    "the public key as a secret": signed_with_the_public_key,
    "a key of nobody": lambda: signed_by("two"),
    "a stranger's key under a known name": lambda: signed_by("one"),
    "a changed claim": lambda: ".".join([id_token().split(".")[0], part({"iss": ISSUER}), id_token().split(".")[2]]),
    "no token": lambda: "",
    "no token at all, but text": lambda: "not a token",
    "too long": lambda: "x" * 100_000,
    "another access token's hash": lambda: id_token(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_an_id_token_that_is_not_in_order_signs_nobody_in(name: str) -> None:
    with pytest.raises(BrokeContract):
        signed_in(recording(TOKENS[name]()))


def test_one_that_is_in_order_does() -> None:
    found = signed_in(recording(id_token(azp="lti-server", aud=["lti-server"])))
    assert (found.issuer, found.client_id, found.subject) == (ISSUER, "lti-server", "248289761001")


@pytest.mark.parametrize(
    "params",
    [
        {"error": "access_denied"},
        {"error": "server_error", "code": "code-of-the-recording"},
        {},
        {"code": ""},
        {"code": "x" * 100_000},
        {"code": "code-of-the-recording", "iss": "https://id.other.example"},
    ],
)
def test_a_callback_without_a_usable_code_is_refused_before_anything_is_asked(params: dict[str, str]) -> None:
    with pytest.raises(RejectedCredentials):
        signed_in(recording(id_token())[:1], params or {"state": "only"})


def test_a_provider_that_promises_its_name_in_the_answer_is_held_to_it() -> None:
    promising = Exchange(
        url=f"{ISSUER}/.well-known/openid-configuration",
        body={**DISCOVERY, "authorization_response_iss_parameter_supported": True},
    )
    answers = [promising, *recording(id_token())[1:]]
    with pytest.raises(RejectedCredentials, match="another provider"):
        signed_in(answers)
    assert signed_in(answers, {"code": "code-of-the-recording", "iss": ISSUER}).subject


@pytest.mark.parametrize(
    "said",
    [{**DISCOVERY, "issuer": "https://id.other.example"}, {**DISCOVERY, "token_endpoint": None}, ["a list"], {}],
)
def test_a_discovery_document_of_another_issuer_or_with_a_gap_is_refused(said: Any) -> None:
    with pytest.raises(BrokeContract):
        signed_in([Exchange(url=f"{ISSUER}/.well-known/openid-configuration", body=said)])


@pytest.mark.parametrize("address", ["javascript://id.school.example/%0aalert(1)", "data://id.school.example/x", "//x"])
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_address_that_is_none_of_the_web_is_a_gap(name: str, address: str) -> None:
    """The browser is sent to one of them, by a link of the own page too."""
    found = [Exchange(url=f"{ISSUER}/.well-known/openid-configuration", body={**DISCOVERY, name: address})]
    with pytest.raises(BrokeContract, match=f"lacks {name}"):
        signed_in(found)


def test_a_client_that_the_provider_does_not_know_is_a_fault_of_the_configuration() -> None:
    answers = recording(id_token())
    refused = Exchange(method="POST", url=f"{ISSUER}/token", status=401, body={"error": "invalid_client"})
    with pytest.raises(Misconfigured, match="client id and secret"):
        signed_in([answers[0], refused])


def test_a_key_that_was_rotated_in_is_read_anew() -> None:
    new = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    token = jwt.encode({"alg": "RS256", "kid": "two"}, jwt.decode(id_token(), KEY).claims, new)
    answers = recording(token)
    rotated = Exchange(url=f"{ISSUER}/keys", body={"keys": [KEY.as_dict(private=False), new.as_dict(private=False)]})
    assert signed_in([*answers[:3], rotated]).subject


@pytest.mark.parametrize(
    ("said", "role"), [("teacher", "teacher"), (["x", "Staff"], "teacher"), ("pupil", "other"), ([7], "other")]
)
def test_a_role_is_what_the_configured_claim_says_and_else_the_stricter_one(said: object, role: str) -> None:
    config: dict[str, object] = {"role_claim": "roles", "teacher_words": "teacher, staff"}
    assert signed_in(recording(id_token(roles=said)), config=config).person.role == role


def test_without_a_configured_claim_nobody_is_a_teacher() -> None:
    assert signed_in(recording(id_token(roles="teacher"))).person.role == "other"


def test_the_tenant_is_what_the_configured_claim_says() -> None:
    config: dict[str, object] = {"tenant_claim": "org", "tenant": "north"}
    assert signed_in(recording(id_token(org="south")), config=config).tenant == "south"
    assert signed_in(recording(id_token(org=["north"])), config=config).tenant == ""


def test_a_birth_date_is_a_date_or_nothing() -> None:
    assert signed_in(recording(id_token())).person.birth_date is not None
    for said in ("0000-05-06", "2014", "2014-13-01", 20140506, None):
        assert signed_in(recording(id_token(birthdate=said))).person.birth_date is None


def test_a_clock_a_minute_off_is_borne() -> None:
    early = LoginProviderContract.now + timedelta(seconds=45)
    assert signed_in(recording(id_token(iat=int(early.timestamp())))).subject
