from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey, RSAKey

from lti_server.errors import InvalidInput
from lti_server.ids import DistrictId
from lti_server.privacy.canonical_json import canonical, strictly_read
from lti_server.privacy.signed_documents import Checked, DocumentKey, Kind, checked, public_keys, signed

RECEIPT = Kind(name="test-receipt", version=1, members=frozenset({"grant", "removed"}))
BODY = {
    "grant": "5b0e1b2e",
    "removed": {"names": 3, "scores": 0},
}
AT = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
DISTRICT = DistrictId(UUID("6a3c6d52-3d4b-4c58-8e2f-0f6f6e0f7a11"))


def key() -> DocumentKey:
    made = OKPKey.generate_key("Ed25519")
    return DocumentKey(kid=made.thumbprint(), key=made)


KEY = key()


def file(by: DocumentKey = KEY, at: datetime = AT) -> bytes:
    return signed(RECEIPT, BODY, district_id=DISTRICT, issuer="https://tool.example", at=at, key=by)


def jwks(*keys: DocumentKey) -> dict[str, list[dict[str, Any]]]:
    return {"keys": [{**one.key.as_dict(private=False), "kid": one.kid} for one in keys]}


def test_a_signed_file_says_what_was_signed_to_whoever_has_the_public_key() -> None:
    assert checked(file(), public_keys(json.dumps(jwks(key(), KEY)))) == Checked(
        kind="test-receipt", version=1, issuer="https://tool.example", district=str(DISTRICT), issued_at=AT,
        body=BODY, kid=KEY.kid,
    )  # fmt: skip


def test_the_same_fact_is_the_same_file_whatever_the_zone_it_is_told_in() -> None:
    assert file(at=AT.astimezone(timezone(timedelta(hours=2)))) == file()


def test_another_program_checks_the_signature_with_the_words_of_the_rfc_alone() -> None:
    found = json.loads(file())
    text = json.dumps(found["document"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    message = f"{found['protected']}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}".encode()
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{KEY.key.as_dict(private=False)['x']}="))
    signature = base64.urlsafe_b64decode(found["signature"] + "==")
    public.verify(signature, message)
    with pytest.raises(InvalidSignature):
        public.verify(signature, message + b"A")


@given(st.data())
def test_a_file_of_which_one_character_was_changed_is_refused_or_says_the_same(data: st.DataObject) -> None:
    text = file().decode()
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda one: one != text[at]))
    changed = (text[:at] + put + text[at + 1 :]).encode()
    try:
        said = checked(changed, public_keys(jwks(KEY)))
    except InvalidInput:
        return
    assert said == checked(file(), public_keys(jwks(KEY)))


def test_a_file_laid_out_anew_is_the_same_file() -> None:
    again = json.dumps(dict(reversed(json.loads(file()).items()))).encode()
    assert checked(again, public_keys(jwks(KEY))).body == BODY


def test_a_key_that_is_not_among_those_given_is_named_as_the_fault() -> None:
    with pytest.raises(InvalidInput, match="not among the keys"):
        checked(file(by=key()), public_keys(jwks(KEY)))


def test_a_key_that_calls_itself_by_another_s_id_does_not_stand_in_for_it() -> None:
    stranger = key()
    posing = {"keys": [{**stranger.key.as_dict(private=False), "kid": KEY.kid}]}
    with pytest.raises(InvalidInput, match="not among the keys"):
        checked(file(), public_keys(posing))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": KEY.kid, "typ": "lti-server-document+jws"},
        {"alg": "EdDSA", "kid": KEY.kid, "typ": "lti-server-document+jws"},
        {"alg": "Ed25519", "kid": KEY.kid, "typ": "JWT"},
        {"alg": "Ed25519", "kid": KEY.kid, "typ": "lti-server-document+jws", "crit": ["exp"]},
        {"alg": "Ed25519", "kid": [KEY.kid], "typ": "lti-server-document+jws"},
        ["alg"],
    ],
)
def test_a_header_of_another_form_is_refused(header: object) -> None:
    found = json.loads(file())
    found["protected"] = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    with pytest.raises(InvalidInput, match="in a way that this program does not use"):
        checked(json.dumps(found).encode(), public_keys(jwks(KEY)))


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{}", b'{"document": {}}', b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_a_file_that_is_no_signed_document_is_refused_in_words(text: bytes) -> None:
    with pytest.raises(InvalidInput, match="as it was downloaded"):
        checked(text, public_keys(jwks(KEY)))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": []}', '{"keys": [7]}', '{"keys": [{"crv": "Ed25519"}]}'])
def test_a_file_of_keys_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidInput, match="Save it again"):
        public_keys(text)


def test_keys_of_other_kinds_in_a_set_are_passed_over() -> None:
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    assert set(public_keys({"keys": [rsa, *jwks(KEY)["keys"]]})) == {KEY.kid}


@pytest.mark.parametrize("body", [{"grant": "g"}, {**BODY, "name": "Ada"}])
def test_a_body_with_other_members_than_its_kind_has_is_not_signed(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="test-receipt version 1 has the members"):
        signed(RECEIPT, body, district_id=None, issuer="https://tool.example", at=AT, key=KEY)


def test_canonical_json_is_that_of_the_rfc() -> None:
    assert (
        canonical({"b": [True, None, -3], "a": 'é"\n\u2028', "A": {}})
        == '{"A":{},"a":"é\\"\\n\u2028","b":[true,null,-3]}'.encode()
    )


@pytest.mark.parametrize("value", [1.5, float("nan"), 2**53, {"é": 1}, {1: 2}, b"bytes", "\ud800", {"a": [object()]}])
def test_what_readers_of_json_understand_differently_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_the_canonical_form_reads_back_and_is_its_own_canonical_form(value: object) -> None:
    text = canonical(value)
    assert strictly_read(text) == value
    assert canonical(strictly_read(text)) == text
