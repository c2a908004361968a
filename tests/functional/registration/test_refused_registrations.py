"""What a registering platform may not do, and how it may fail: always a page in words, and the invitation stays."""

from __future__ import annotations

import logging
import threading

import pytest
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.providers.connections import OutboundLimits
from tests.functional.registration.moves import only, platforms, sends
from tests.peers.registering_platform import RegisteringPlatform

FAILURES = {
    "the configuration is gone": ("openid-configuration", 404, b"{}"),
    "the configuration is garbage": ("openid-configuration", 200, b"<html>"),
    "the configuration is a list": ("openid-configuration", 200, b"[]"),
    "the configuration is too deep": ("openid-configuration", 200, b"[" * 100_000),
    "the configuration is too large": ("openid-configuration", 200, b'"' + b"x" * 600_000 + b'"'),
    "the platform fails": ("openid-configuration", 500, b"{}"),
    "the platform is busy": ("openid-configuration", 429, b"{}"),
    "the token is refused": ("openid-configuration", 403, b"{}"),
    "the registration is refused": ("register", 400, b'{"error": "invalid_client_metadata"}'),
    "the token is refused at last": ("register", 401, b"{}"),
    "the registration fails": ("register", 503, b"{}"),
    "the answer is garbage": ("register", 200, b"\xff\xfe"),
    "the answer is too large": ("register", 200, b'"' + b"x" * 600_000 + b'"'),
    "the answer has no client id": ("register", 201, b'{"client_id": ""}'),
    "the answer has an odd client id": ("register", 201, b'{"client_id": "\\ud800"}'),
}


@pytest.mark.parametrize("failure", list(FAILURES.values()), ids=list(FAILURES))
def test_a_failure_is_a_page_and_the_invitation_still_works(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform,
    failure: tuple[str, int, bytes], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    route, status, body = failure
    lms.broken[route] = (status, body)
    with caplog.at_level(logging.DEBUG):
        page = sends(client, invitation, lms)
    assert page.status_code == 502
    assert "LMS" in page.text
    assert "This link still works" in page.text
    assert not [secret for secret in (invitation, "registration-token-1") if secret in page.text + caplog.text]
    assert platforms(house, district) == []
    del lms.broken[route]
    assert sends(client, invitation, lms).status_code == 200
    assert only(house, district).state == "pending"


@pytest.mark.parametrize("route", ["openid-configuration", "register"])
def test_a_platform_that_does_not_answer_in_time_is_given_up(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform, route: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("lti_server.house.REGISTRATION_LIMITS", OutboundLimits(total_s=0.5))
    answers = threading.Event()
    lms.waits = {route: answers}
    page = sends(client, invitation, lms)
    answers.set()
    assert page.status_code == 502
    assert "did not answer in time" in page.text
    assert platforms(house, district) == []


def test_an_issuer_on_another_host_is_not_believed(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for issuer in ("https://canvas.instructure.com", "https://lms.example", lms.address.replace("127.0.0.1", "[::1]")):
        lms.changes = {"issuer": issuer}
        page = sends(client, invitation, lms)
        assert page.status_code == 403
        assert "cannot be believed" in page.text
    assert lms.entries == []
    assert platforms(house, district) == []


def test_the_token_is_not_sent_to_another_host(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform, elsewhere: RegisteringPlatform
) -> None:
    lms.changes = {"registration_endpoint": f"{elsewhere.address}/register"}
    assert sends(client, invitation, lms).status_code == 403
    lms.changes = {}
    for route in ("register", "openid-configuration"):
        lms.redirects = {route: f"{elsewhere.address}/{route}"}
        assert sends(client, invitation, lms).status_code == 502
    assert elsewhere.bearers == []


def test_a_redirect_does_not_let_another_host_speak_for_the_platform(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform,
    elsewhere: RegisteringPlatform,
) -> None:  # fmt: skip
    lms.token = elsewhere.token = None
    elsewhere.changes = {"issuer": lms.address}
    lms.redirects = {"openid-configuration": elsewhere.configuration_url}
    assert sends(client, invitation, lms).status_code == 502
    assert elsewhere.bearers == []
    assert platforms(house, district) == []


def test_a_platform_is_not_led_into_this_network(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"):
        lms.changes = {name: "http://10.0.0.1/"}
        page = sends(client, invitation, lms)
        assert page.status_code == 502
        assert name in page.text
    asked = {"invitation": invitation, "openid_configuration": "https://localhost:1/x"}
    assert client.post("/lti/register", data=asked).status_code == 502
    assert lms.entries == []


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"openid_configuration": "http://lms.example/configuration"},
        {"openid_configuration": "file:///etc/passwd"},
        {"openid_configuration": "https://[/"},
        {"openid_configuration": "https://lms.example/\x00"},
        {"openid_configuration": "https://lms.example/" + "x" * 2_000},
        {"openid_configuration": "https://lms.example/", "registration_token": "a\r\nHost: other"},
        {"openid_configuration": "https://lms.example/", "registration_token": "x" * 8_193},
    ],
)
def test_a_link_that_no_platform_made_is_refused_in_words(
    client: FlaskClient, invitation: str, link: dict[str, str]
) -> None:
    fields = {"invitation": invitation, **link}
    assert client.get("/lti/register", query_string=fields).status_code == 422
    assert client.post("/lti/register", data=fields).status_code == 422


def test_a_platform_that_puts_a_second_question_mark_is_understood(
    client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    url = f"/lti/register?invitation={invitation}?openid_configuration={lms.configuration_url}"
    page = client.get(f"{url}&registration_token={lms.token}")
    assert page.status_code == 200
    assert lms.host in page.text
