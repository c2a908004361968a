"""An LMS registers itself by an invitation: once, believed within limits, and without launches until approved."""

from __future__ import annotations

import dataclasses
import logging
import re
import threading
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House, build_house, create_app
from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.lti.registration_invitations import CLAIM_LIFE, INVITATION_LIFE
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from lti_server.providers.connections import OutboundLimits
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.peers import bare_platform
from tests.peers.registering_platform import TOOL, RegisteringPlatform, serving

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@pytest.fixture
def lms() -> Iterator[RegisteringPlatform]:
    with serving(RegisteringPlatform()) as found:
        yield found


@pytest.fixture
def elsewhere() -> Iterator[RegisteringPlatform]:
    with serving(RegisteringPlatform()) as found:
        yield found


@pytest.fixture
def house(
    settings: Settings, database_url: str, clock: FakeClock, lms: RegisteringPlatform, elsewhere: RegisteringPlatform
) -> Iterator[House]:
    hosts = frozenset({lms.host, elsewhere.host})
    found = build_house(dataclasses.replace(settings, insecure_hosts=hosts), database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House) -> District:
    return world.district(house)


@pytest.fixture
def invitation(house: House, district: District) -> str:
    return house.registration_invitations.invite(district.id)[0]


def _opens(client: FlaskClient, invitation: str, lms: RegisteringPlatform) -> TestResponse:
    return client.get("/lti/register", query_string={"invitation": invitation, **lms.link})


def _sends(client: FlaskClient, invitation: str, lms: RegisteringPlatform) -> TestResponse:
    """The button, pressed in a browser that keeps no cookie at all."""
    page = _opens(client, invitation, lms)
    assert page.status_code == 200, page.text
    fields = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
    return client.application.test_client(use_cookies=False).post("/lti/register", data=fields)


def _platforms(house: House, district: District) -> list[Registered]:
    return house.registrations.every(district.id)


def _only(house: House, district: District) -> Registered:
    (found,) = _platforms(house, district)
    return found


def test_the_first_page_says_what_will_be_registered_and_calls_nobody(
    client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for _ in range(3):
        page = _opens(client, invitation, lms)
        assert page.status_code == 200
        assert district.name in page.text
        assert lms.host in page.text
    assert lms.bearers == []


def test_the_pages_work_in_a_frame_of_another_site_without_a_cookie(
    client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for page in (_opens(client, invitation, lms), _sends(client, invitation, lms)):
        assert page.status_code == 200
        assert "Set-Cookie" not in page.headers
        assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
        assert page.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"


def test_a_platform_registers_itself_and_waits_for_approval(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    page = _sends(client, invitation, lms)
    assert page.status_code == 200
    made = _only(house, district)
    assert made.state == "pending"
    assert made.platform.issuer == lms.address
    assert made.platform.client_id == "client-1"
    assert made.platform.deployment_ids == ("1",)
    assert made.platform.jwks_url == f"{lms.address}/jwks"
    assert f"lti-server platform approve {made.id}" in page.text
    assert "--deployment-id" not in page.text
    (script,) = re.findall(r'<script src="([^"]+)"', page.text)
    with client.get(script) as answer:
        assert b"org.imsglobal.lti.close" in answer.data


def test_the_token_goes_with_both_requests_where_there_is_one(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    assert _sends(client, invitation, lms).status_code == 200
    assert lms.bearers == [
        ("openid-configuration", "Bearer registration-token-1"),
        ("register", "Bearer registration-token-1"),
    ]


def test_a_platform_that_gives_no_token_is_asked_without_one(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.token = None
    assert _sends(client, invitation, lms).status_code == 200
    assert lms.bearers == [("openid-configuration", None), ("register", None)]
    assert _only(house, district).state == "pending"


def test_what_is_sent_is_what_the_platform_supports(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    assert _sends(client, invitation, lms).status_code == 200
    (body,) = lms.entries
    assert "noticehandlers" not in body["scope"]
    assert "locale" not in body[TOOL]["claims"]
    assert "email" not in body[TOOL]["claims"]
    assert [one["type"] for one in body[TOOL]["messages"]] == ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
    assert body["redirect_uris"] == ["http://127.0.0.1:8000/lti/launch"]


def test_an_invitation_registers_once(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    fields = {"invitation": invitation, **lms.link}
    assert client.post("/lti/register", data=fields).status_code == 200
    again = client.post("/lti/register", data=fields)
    assert again.status_code == 404
    assert "used or is too old" in again.text
    assert _opens(client, invitation, lms).status_code == 404
    assert len(lms.entries) == len(_platforms(house, district)) == 1


def test_an_invitation_ends_after_a_week(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform, clock: FakeClock
) -> None:
    clock.pass_s(INVITATION_LIFE.total_seconds() + 1)
    assert _opens(client, invitation, lms).status_code == 404
    assert client.post("/lti/register", data={"invitation": invitation, **lms.link}).status_code == 404
    assert lms.bearers == []


@pytest.mark.parametrize("invented", ["", "x" * 43, "\x00", "é" * 9000])
def test_an_invented_invitation_opens_nothing(
    client: FlaskClient, district: District, lms: RegisteringPlatform, invented: str
) -> None:
    assert client.post("/lti/register", data={"invitation": invented, **lms.link}).status_code == 404
    assert _opens(client, invented, lms).status_code == 404
    assert lms.bearers == []


def test_two_uses_at_one_moment_make_one_registration(
    house: House, app: Flask, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    answers = threading.Event()
    lms.waits = {"register": answers}
    fields = {"invitation": invitation, **lms.link}
    statuses: list[int] = []
    first = threading.Thread(
        target=lambda: statuses.append(app.test_client().post("/lti/register", data=fields).status_code)
    )
    first.start()
    assert lms.asked.wait(10)
    second = app.test_client().post("/lti/register", data=fields)
    answers.set()
    first.join()
    assert second.status_code == 409
    assert "used at this moment" in second.text
    assert statuses == [200]
    assert len(lms.entries) == len(_platforms(house, district)) == 1


def test_an_attempt_that_died_does_not_hold_the_invitation_for_ever(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform, clock: FakeClock
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(
            sa.text("UPDATE platform_invitation SET claim = gen_random_uuid(), claimed_until = :until"),
            {"until": clock.now() + CLAIM_LIFE},
        )
    fields = {"invitation": invitation, **lms.link}
    assert client.post("/lti/register", data=fields).status_code == 409
    clock.pass_s(CLAIM_LIFE.total_seconds() + 1)
    assert client.post("/lti/register", data=fields).status_code == 200


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
        page = _sends(client, invitation, lms)
    assert page.status_code == 502
    assert "LMS" in page.text
    assert "This link still works" in page.text
    assert not [secret for secret in (invitation, "registration-token-1") if secret in page.text + caplog.text]
    assert _platforms(house, district) == []
    del lms.broken[route]
    assert _sends(client, invitation, lms).status_code == 200
    assert _only(house, district).state == "pending"


@pytest.mark.parametrize("route", ["openid-configuration", "register"])
def test_a_platform_that_does_not_answer_in_time_is_given_up(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform, route: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("lti_server.house.REGISTRATION_LIMITS", OutboundLimits(total_s=0.5))
    answers = threading.Event()
    lms.waits = {route: answers}
    page = _sends(client, invitation, lms)
    answers.set()
    assert page.status_code == 502
    assert "did not answer in time" in page.text
    assert _platforms(house, district) == []


def test_an_issuer_on_another_host_is_not_believed(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for issuer in ("https://canvas.instructure.com", "https://lms.example", lms.address.replace("127.0.0.1", "[::1]")):
        lms.changes = {"issuer": issuer}
        page = _sends(client, invitation, lms)
        assert page.status_code == 403
        assert "cannot be believed" in page.text
    assert lms.entries == []
    assert _platforms(house, district) == []


def test_the_token_is_not_sent_to_another_host(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform, elsewhere: RegisteringPlatform
) -> None:
    lms.changes = {"registration_endpoint": f"{elsewhere.address}/register"}
    assert _sends(client, invitation, lms).status_code == 403
    lms.changes = {}
    for route in ("register", "openid-configuration"):
        lms.redirects = {route: f"{elsewhere.address}/{route}"}
        assert _sends(client, invitation, lms).status_code == 502
    assert elsewhere.bearers == []


def test_a_platform_is_not_led_into_this_network(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"):
        lms.changes = {name: "http://10.0.0.1/"}
        page = _sends(client, invitation, lms)
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


def test_the_token_audience_is_what_the_platform_names(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.changes = {"authorization_server": "https://api.brightspace.com/auth/token"}
    assert _sends(client, invitation, lms).status_code == 200
    assert _only(house, district).platform.token_audience == "https://api.brightspace.com/auth/token"


def test_registering_again_brings_the_registration_up_to_date(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 3
    _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    first = _only(house, district)
    house.registrations.approve(first.id)

    lms.deployment_id = "2"
    page = _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    assert "up to date" in page.text
    same = _only(house, district)
    assert (same.id, same.state, same.platform.deployment_ids) == (first.id, "active", ("1", "2"))

    lms.changes = {"jwks_uri": f"{lms.address}/other-jwks"}
    _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    moved = _only(house, district)
    assert (moved.id, moved.state, moved.platform.jwks_url) == (first.id, "pending", f"{lms.address}/other-jwks")


def test_another_district_s_client_is_not_turned_elsewhere(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 3
    _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    other = world.district(house, "south")
    lms.deployment_id = "2"
    lms.changes = {"authorization_endpoint": f"{lms.address}/stolen"}
    token = house.registration_invitations.invite(other.id)[0]
    page = _sends(client, token, lms)
    assert page.status_code == 409
    assert "Delete the entry in the LMS" in page.text
    assert _platforms(house, other) == []
    lms.changes = {}
    assert _sends(client, token, lms).status_code == 200
    assert _only(house, other).platform.client_id == "client-1"


def test_a_deployment_of_another_district_is_not_taken_and_nothing_is_kept(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 2
    _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    other = world.district(house, "south")
    page = _sends(client, house.registration_invitations.invite(other.id)[0], lms)
    assert page.status_code == 409
    assert _platforms(house, other) == []


def test_without_a_deployment_approval_waits_for_one(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.deployment_id = None
    assert "--deployment-id ID" in _sends(client, invitation, lms).text
    made = _only(house, district)
    assert made.platform.deployment_ids == ()
    with pytest.raises(InvalidInput, match="--deployment-id"):
        house.registrations.approve(made.id)
    assert _only(house, district).state == "pending"
    approved = house.registrations.approve(made.id, ["7"])
    assert (approved.state, approved.platform.deployment_ids) == ("active", ("7",))
    assert house.registrations.approve(made.id, ["7", "8"]).platform.deployment_ids == ("7", "8")


def test_a_platform_that_was_switched_off_is_not_switched_on_by_approval_or_registration(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 2
    _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    made = _only(house, district)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET state = 'suspended'"))
    with pytest.raises(Conflict):
        house.registrations.approve(made.id)
    page = _sends(client, house.registration_invitations.invite(district.id)[0], lms)
    assert "stays switched off" in page.text
    assert _only(house, district).state == "suspended"


def test_a_removed_platform_is_not_approved(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    _sends(client, invitation, lms)
    made = _only(house, district)
    house.registrations.remove(made.id)
    with pytest.raises(NotFound):
        house.registrations.approve(made.id)


def test_a_registration_is_in_the_district_s_log(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    _sends(client, invitation, lms)
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(sa.text("SELECT actor, decision FROM log_entry WHERE act = 'platform register'"))
        ((actor, decision),) = rows.all()
    assert actor.startswith("invitation:")
    assert decision == "allowed"


def test_the_invitation_is_not_in_the_database(house: House, district: District, invitation: str) -> None:
    with house.database.tenant(district.id) as connection:
        (row,) = connection.execute(sa.text("SELECT platform_invitation::text FROM platform_invitation")).scalars()
    assert invitation not in row
    assert invitation.encode().hex() not in row


def test_no_launch_opens_before_approval_and_launches_open_after_it(
    settings: Settings, database_url: str, clock: FakeClock, lms: RegisteringPlatform
) -> None:
    keys = bare_platform.Platform()
    with bare_platform.serving(keys):
        hosts = frozenset({lms.host, keys.address.removeprefix("http://")})
        house = build_house(dataclasses.replace(settings, insecure_hosts=hosts), database_url, clock)
        district, client = world.district(house), create_app(house).test_client()
        lms.changes = {"jwks_uri": keys.jwks_url}
        _sends(client, house.registration_invitations.invite(district.id)[0], lms)
        keys.issuer, keys.client_id, keys.deployment_id = lms.address, "client-1", "1"
        refused = world.launch(client, keys, house)
        assert refused.status_code == 403
        assert "nobody has approved it yet" in refused.text
        house.registrations.approve(_only(house, district).id)
        opened = world.launch(client, keys, house)
        assert opened.status_code == 303
        assert parse_qs(urlsplit(opened.location).query)["ticket"]
        house.database.dispose()


def test_canvas_can_be_given_this_tool_as_a_file(client: FlaskClient) -> None:
    answer = client.get("/lti/config.json")
    assert answer.status_code == 200
    found = answer.get_json()
    base = "http://127.0.0.1:8000"
    assert found["oidc_initiation_url"] == f"{base}/lti/login"
    assert found["target_link_uri"] == f"{base}/lti/launch"
    assert found["public_jwk_url"] == f"{base}/lti/jwks"
    assert found["custom_fields"] == {
        "section_ids": "$Canvas.course.sectionIds",
        "section_names": "$com.instructure.User.sectionNames",
    }
    (extension,) = found["extensions"]
    placements = {one["placement"]: one["message_type"] for one in extension["settings"]["placements"]}
    assert placements == {
        "link_selection": "LtiDeepLinkingRequest",
        "assignment_selection": "LtiDeepLinkingRequest",
    }
