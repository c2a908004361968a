"""Whom a registering platform may speak for, what it is asked for, and what is read from its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti_server.errors import InvalidInput, LtiServerError, NotAllowed, ProviderFailed
from lti_server.lti.dynamic_registration import (
    TOOL_CONFIGURATION,
    PlatformConfiguration,
    check_asked,
    read_answer,
    read_configuration,
    registration_body,
)
from lti_server.lti.tool_description import CLAIMS, MESSAGES, SCOPES, Tool, canvas_configuration
from lti_server.providers.addresses import AddressGuard
from lti_server.providers.errors import BrokeContract
from tests.peers.registering_platform import AGS, NRPS, PLATFORM, configuration

TOOL = Tool("https://lessons.example/path")
SITE = "https://lms.school.example"


def check(url: str) -> None:
    """The outbound guard, as the house joins it."""
    try:
        AddressGuard().check_url(url)
    except BrokeContract as error:
        raise ValueError(error.detail) from error


def read(url: str, *, with_token: bool = True, address: str = SITE, **changes: Any) -> PlatformConfiguration:
    return read_configuration(configuration(address, **changes), url, check, with_token=with_token)


CANVAS: dict[str, Any] = {
    "issuer": "https://canvas.instructure.com",
    "authorization_endpoint": "https://sso.canvaslms.com/api/lti/authorize_redirect",
    "token_endpoint": "https://sso.canvaslms.com/login/oauth2/token",
    "jwks_uri": "https://sso.canvaslms.com/api/lti/security/jwks",
    "registration_endpoint": "https://learn.school.example/api/lti/registrations",
    "authorization_server": "sso.canvaslms.com",
    PLATFORM: {
        "product_family_code": "canvas",
        "messages_supported": [
            {"type": "LtiResourceLinkRequest", "placements": ["course_navigation", "link_selection"]},
            {"type": "LtiDeepLinkingRequest", "placements": ["assignment_selection", "link_selection"]},
        ],
        "variables": [
            "Canvas.course.sectionIds",
            "com.instructure.User.sectionNames",
            "User.id",
            "Context.id.history",
            "ResourceLink.id.history",
        ],
    },
}
CANVAS_AT = "https://sso.canvaslms.com/api/lti/security/openid-configuration"

BELIEVED: dict[str, tuple[str, dict[str, Any]]] = {
    "its own host": (f"{SITE}/.well-known/openid-configuration", {}),
    "a path below the host": (f"{SITE}/moodle/openid", {"issuer": f"{SITE}/moodle"}),
    "another spelling of the host": ("https://LMS.School.example:443/c", {}),
    "an http issuer behind a proxy": (f"{SITE}/c", {"issuer": "http://lms.school.example"}),
    "a port": ("https://lms.school.example:8443/c", {
        "issuer": "https://lms.school.example:8443",
        "registration_endpoint": "https://lms.school.example:8443/r",
    }),
    "Canvas at its sign-on": (CANVAS_AT, CANVAS),
    "Canvas at its issuer": ("https://canvas.instructure.com/api/lti/security/openid-configuration", CANVAS),
    "Canvas beta": ("https://sso.beta.canvaslms.com/c", {**CANVAS, "issuer": "https://canvas.beta.instructure.com"}),
    "Canvas test": ("https://sso.test.canvaslms.com/c", {**CANVAS, "issuer": "https://canvas.test.instructure.com"}),
    "services on other hosts": (f"{SITE}/d2l", {
        "token_endpoint": "https://auth.brightspace.com/core/connect/token",
        "authorization_server": "https://api.brightspace.com/auth/token",
    }),
}  # fmt: skip

NOT_BELIEVED: dict[str, tuple[str, dict[str, Any]]] = {
    "another host": ("https://evil.example/c", {}),
    "a host below": ("https://evil.lms.school.example/c", {}),
    "a host above": ("https://school.example/c", {}),
    "another port": (f"{SITE}:8443/c", {}),
    "Canvas from a stranger": ("https://evil.example/c", CANVAS),
    "Canvas from a school's own host": ("https://learn.school.example/c", CANVAS),
    "Canvas from a likeness": ("https://sso.canvaslms.com.evil.example/c", CANVAS),
    "Canvas from its beta": ("https://sso.beta.canvaslms.com/c", CANVAS),
    "Canvas beta from Canvas": (CANVAS_AT, {**CANVAS, "issuer": "https://canvas.beta.instructure.com"}),
    "Canvas with a slash": (CANVAS_AT, {**CANVAS, "issuer": "https://canvas.instructure.com/"}),
    "another issuer at Canvas": (CANVAS_AT, {**CANVAS, "issuer": "https://learn.school.example"}),
    "a user name before the host": (f"{SITE}/c", {"issuer": "https://lms.school.example@evil.example"}),
    "a user name that is the host": ("https://evil.example/c", {"issuer": "https://a@evil.example"}),
    "a query": (f"{SITE}/c", {"issuer": f"{SITE}?x=1"}),
    "no scheme": (f"{SITE}/c", {"issuer": "lms.school.example"}),
    "another scheme": (f"{SITE}/c", {"issuer": "ftp://lms.school.example"}),
    "brackets": (f"{SITE}/c", {"issuer": "https://["}),
}


@pytest.mark.parametrize(("url", "changes"), list(BELIEVED.values()), ids=list(BELIEVED))
def test_an_issuer_is_believed_from_its_own_host_and_from_its_vendor_s(url: str, changes: dict[str, Any]) -> None:
    assert read(url, **changes).issuer == changes.get("issuer", SITE)


@pytest.mark.parametrize(("url", "changes"), list(NOT_BELIEVED.values()), ids=list(NOT_BELIEVED))
def test_an_issuer_is_not_believed_from_anywhere_else(url: str, changes: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="cannot be believed"):
        read(url, with_token=False, **changes)


def test_the_token_goes_to_the_platform_s_own_host_or_to_a_vendor_s_school() -> None:
    elsewhere: dict[str, Any] = {"registration_endpoint": "https://elsewhere.example/register"}
    with pytest.raises(NotAllowed, match="token sent to another host"):
        read(f"{SITE}/c", **elsewhere)
    assert read(f"{SITE}/c", with_token=False, **elsewhere).registration_url == elsewhere["registration_endpoint"]
    assert read(CANVAS_AT, **CANVAS).registration_url == CANVAS["registration_endpoint"]


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"])
@pytest.mark.parametrize(
    "value",
    [None, "", 7, [], "/relative", "http://lms.school.example/x", "file:///x", "https://a@lms.school.example/",
     "https://lms.school.example/#x", "https://lms.school.example/a b", "https://[", "https://0x7f000001/",
     "https://lms.school.example/" + "x" * 2_000, "https://lms.school.example/\ud800"],
)  # fmt: skip
def test_every_address_must_be_one_that_may_be_called(name: str, value: object) -> None:
    with pytest.raises(ProviderFailed, match=f"no {name} that begins with https"):
        read_configuration(configuration(SITE, **{name: value}), f"{SITE}/c", check, with_token=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"response_types_supported": ["code"]},
        {"id_token_signing_alg_values_supported": ["HS256"]},
        {"token_endpoint_auth_methods_supported": ["client_secret_basic"]},
        {"token_endpoint_auth_methods_supported": "private_key_jwt"},
    ],
)
def test_a_platform_without_the_methods_of_lti_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProviderFailed, match=r"LTI 1\.3"):
        read(f"{SITE}/c", **changes)


def test_methods_that_a_platform_does_not_list_are_not_missed() -> None:
    names = [
        "response_types_supported", "id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported",
    ]  # fmt: skip
    unsaid: dict[str, Any] = dict.fromkeys(names)
    assert read(f"{SITE}/c", **unsaid).issuer == SITE


@pytest.mark.parametrize(
    ("said", "audience"),
    [
        ("https://api.brightspace.com/auth/token", "https://api.brightspace.com/auth/token"),
        (f"{SITE}/token", None),
        ("sso.canvaslms.com", None),
        ("", None),
        (None, None),
        (["https://lms.school.example"], None),
        ("https://[", None),
        ("https://", None),
        ("https://a/\x00", None),
    ],
)
def test_the_audience_is_an_address_that_differs_from_the_token_endpoint(said: object, audience: str | None) -> None:
    assert read(f"{SITE}/c", authorization_server=said).token_audience == audience


def test_a_platform_that_says_nothing_of_itself_is_asked_for_histories_alone() -> None:
    bare: dict[str, Any] = dict.fromkeys(["scopes_supported", "claims_supported", PLATFORM])
    body = registration_body(TOOL, read(f"{SITE}/c", **bare))
    own = body[TOOL_CONFIGURATION]
    assert (body["scope"], own["claims"], own["messages"]) == ("", [], [])
    assert own["custom_parameters"] == {
        "context_id_history": "$Context.id.history",
        "resource_link_id_history": "$ResourceLink.id.history",
    }


def test_the_body_says_what_the_specification_asks_for() -> None:
    body = registration_body(TOOL, read(f"{SITE}/c"))
    own = body.pop(TOOL_CONFIGURATION)
    assert body == {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": "https://lessons.example/path/lti/login",
        "redirect_uris": ["https://lessons.example/path/lti/launch"],
        "client_name": "Lessons",
        "jwks_uri": "https://lessons.example/path/lti/jwks",
        "logo_uri": "https://lessons.example/path/static/icon.svg",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": f"{AGS}lineitem {AGS}result.readonly {AGS}score {NRPS}",
    }
    assert own == {
        "domain": "lessons.example",
        "target_link_uri": "https://lessons.example/path/lti/launch",
        "claims": ["iss", "sub", "name", "given_name", "family_name"],
        "custom_parameters": {},
        "messages": [
            {
                "type": "LtiResourceLinkRequest",
                "target_link_uri": "https://lessons.example/path/lti/launch",
                "label": "Lessons",
            },
            {
                "type": "LtiDeepLinkingRequest",
                "target_link_uri": "https://lessons.example/path/lti/launch",
                "label": "Lessons",
                "placements": ["ContentArea"],
            },
        ],
    }


def test_canvas_gets_its_placements_variables_and_privacy_level() -> None:
    own = registration_body(TOOL, read(CANVAS_AT, **CANVAS))[TOOL_CONFIGURATION]
    assert own["custom_parameters"] == canvas_configuration(TOOL)["custom_fields"]
    assert [one.get("placements") for one in own["messages"]] == [None, ["link_selection", "assignment_selection"]]
    assert own["https://canvas.instructure.com/lti/privacy_level"] == "name_only"


def test_a_variable_that_canvas_does_not_know_is_not_asked_for() -> None:
    known = {**CANVAS, PLATFORM: {**CANVAS[PLATFORM], "variables": ["Canvas.course.sectionIds"]}}
    own = registration_body(TOOL, read(CANVAS_AT, **known))[TOOL_CONFIGURATION]
    assert own["custom_parameters"] == {"section_ids": "$Canvas.course.sectionIds"}


@pytest.mark.parametrize(
    ("document", "client_id", "deployment_id"),
    [
        ({"client_id": "abc", TOOL_CONFIGURATION: {"deployment_id": "1"}}, "abc", "1"),
        ({"client_id": 10000000000001, TOOL_CONFIGURATION: {"deployment_id": 7}}, "10000000000001", "7"),
        ({"client_id": "abc", "deployment_id": "2"}, "abc", "2"),
        ({"client_id": "abc", TOOL_CONFIGURATION: []}, "abc", None),
        ({"client_id": "abc", TOOL_CONFIGURATION: {"deployment_id": ""}}, "abc", None),
        ({"client_id": "abc", "deployment_id": "é"}, "abc", None),
        ({"client_id": "abc", "deployment_id": True}, "abc", None),
    ],
)
def test_the_answer_names_the_client_and_perhaps_the_deployment(
    document: dict[str, object], client_id: str, deployment_id: str | None
) -> None:
    found = read_answer(document)
    assert (found.client_id, found.deployment_id) == (client_id, deployment_id)


@pytest.mark.parametrize("client_id", [None, "", True, 1.5, [], "x" * 256, "\x00", "\ud800", 10**40])
def test_an_answer_without_a_client_is_refused(client_id: object) -> None:
    with pytest.raises(ProviderFailed, match="client id"):
        read_answer({"client_id": client_id})


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "é", "x" * 8_193])
def test_a_token_that_cannot_stand_in_a_header_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput):
        check_asked(f"{SITE}/c", token, check)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*configuration(SITE), "authorization_server"])
INNER = st.sampled_from(["product_family_code", "messages_supported", "variables"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text of a process takes a second to draw
@given(changes=st.dictionaries(NAMES, JSON, max_size=3), inner=st.dictionaries(INNER, JSON, max_size=3))
def test_whatever_a_platform_says_is_refused_in_words_or_makes_a_body_within_what_it_said(
    changes: dict[str, Any], inner: dict[str, Any]
) -> None:
    document = configuration(SITE, **{PLATFORM: inner, **changes})
    try:
        found = read_configuration(document, f"{SITE}/c", check, with_token=True)
    except (ProviderFailed, NotAllowed):
        return
    assert found.issuer == document["issuer"]
    body = registration_body(TOOL, found)
    json.dumps(body)
    said = document.get("scopes_supported")
    assert all(scope in SCOPES and isinstance(said, list) and scope in said for scope in body["scope"].split())
    own = body[TOOL_CONFIGURATION]
    assert set(own["claims"]) <= set(CLAIMS)
    assert {one["type"] for one in own["messages"]} <= set(MESSAGES)


@given(JSON)
def test_whatever_is_no_configuration_is_refused_in_words(document: object) -> None:
    with pytest.raises(LtiServerError):
        read_configuration(document, f"{SITE}/c", check, with_token=False)


@given(JSON)
def test_whatever_answers_a_registration_is_read_or_refused_in_words(document: object) -> None:
    wrapped = {"client_id": document, "deployment_id": document, TOOL_CONFIGURATION: document}
    for one in (document, wrapped):
        try:
            found = read_answer(one)
        except ProviderFailed:
            continue
        assert found.client_id.isascii()
        assert 0 < len(found.client_id) <= 255
