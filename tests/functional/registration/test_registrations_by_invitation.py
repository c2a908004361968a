"""An LMS registers itself by an invitation: once, believed within limits, and without launches until approved."""

from __future__ import annotations

import dataclasses
import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House, build_house, create_app
from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.lti.registration_invitations import CLAIM_LIFE, INVITATION_LIFE
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional.registration.moves import only, opens, platforms, sends
from tests.peers import bare_platform
from tests.peers.registering_platform import TOOL, RegisteringPlatform

NOTICES = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
HISTORIES = {"context_id_history": "$Context.id.history", "resource_link_id_history": "$ResourceLink.id.history"}


def test_the_first_page_says_what_will_be_registered_and_calls_nobody(
    client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for _ in range(3):
        page = opens(client, invitation, lms)
        assert page.status_code == 200
        assert district.name in page.text
        assert lms.host in page.text
    assert lms.bearers == []


def test_the_pages_work_in_a_frame_of_another_site_without_a_cookie(
    client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    for page in (opens(client, invitation, lms), sends(client, invitation, lms)):
        assert page.status_code == 200
        assert "Set-Cookie" not in page.headers
        assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
        assert page.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"


def test_a_platform_registers_itself_and_waits_for_approval(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    page = sends(client, invitation, lms)
    assert page.status_code == 200
    made = only(house, district)
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
    assert sends(client, invitation, lms).status_code == 200
    assert lms.bearers == [
        ("openid-configuration", "Bearer registration-token-1"),
        ("register", "Bearer registration-token-1"),
    ]


def test_a_platform_that_gives_no_token_is_asked_without_one(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.token = None
    assert sends(client, invitation, lms).status_code == 200
    assert lms.bearers == [("openid-configuration", None), ("register", None)]
    assert only(house, district).state == "pending"


def test_what_is_sent_is_what_the_platform_supports(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    assert sends(client, invitation, lms).status_code == 200
    (body,) = lms.entries
    assert "noticehandlers" not in body["scope"]
    assert "locale" not in body[TOOL]["claims"]
    assert "email" not in body[TOOL]["claims"]
    assert [one["type"] for one in body[TOOL]["messages"]] == ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
    assert body["redirect_uris"] == ["http://127.0.0.1:8000/lti/launch"]


def test_histories_are_asked_for_where_the_platform_knows_their_variables(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.supports(variables=["Context.id.history", "ResourceLink.id.history", "User.id"])
    assert sends(client, invitation, lms).status_code == 200
    (body,) = lms.entries
    assert body[TOOL]["custom_parameters"] == HISTORIES


def test_a_variable_that_the_platform_does_not_list_is_not_asked_for(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.supports(variables=["Context.id.history"])
    assert sends(client, invitation, lms).status_code == 200
    (body,) = lms.entries
    assert body[TOOL]["custom_parameters"] == {"context_id_history": "$Context.id.history"}


@pytest.mark.parametrize("name", ["DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest"])
def test_the_privacy_page_is_offered_by_the_name_that_the_platform_lists(
    name: str, client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.supports(messages_supported=[{"type": "LtiResourceLinkRequest"}, {"type": name}])
    assert sends(client, invitation, lms).status_code == 200
    (body,) = lms.entries
    launch_url = "http://127.0.0.1:8000/lti/launch"
    assert body[TOOL]["messages"] == [
        {"type": "LtiResourceLinkRequest", "target_link_uri": launch_url, "label": "Lessons"},
        {"type": name, "target_link_uri": launch_url, "label": "Data and privacy"},
    ]


def test_notices_are_asked_for_where_the_platform_has_them(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.changes = {"scopes_supported": ["openid", NOTICES]}
    assert sends(client, invitation, lms).status_code == 200
    (body,) = lms.entries
    assert body["scope"] == NOTICES


def test_an_invitation_registers_once(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    fields = {"invitation": invitation, **lms.link}
    assert client.post("/lti/register", data=fields).status_code == 200
    again = client.post("/lti/register", data=fields)
    assert again.status_code == 404
    assert "used or is too old" in again.text
    assert opens(client, invitation, lms).status_code == 404
    assert len(lms.entries) == len(platforms(house, district)) == 1


def test_an_invitation_ends_after_a_week(
    client: FlaskClient, invitation: str, lms: RegisteringPlatform, clock: FakeClock
) -> None:
    clock.pass_s(INVITATION_LIFE.total_seconds() + 1)
    assert opens(client, invitation, lms).status_code == 404
    assert client.post("/lti/register", data={"invitation": invitation, **lms.link}).status_code == 404
    assert lms.bearers == []


@pytest.mark.parametrize("invented", ["", "x" * 43, "\x00", "é" * 9000])
def test_an_invented_invitation_opens_nothing(
    client: FlaskClient, district: District, lms: RegisteringPlatform, invented: str
) -> None:
    assert client.post("/lti/register", data={"invitation": invented, **lms.link}).status_code == 404
    assert opens(client, invented, lms).status_code == 404
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
    assert len(lms.entries) == len(platforms(house, district)) == 1


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


def test_the_token_audience_is_what_the_platform_names(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.changes = {"authorization_server": "https://api.brightspace.com/auth/token"}
    assert sends(client, invitation, lms).status_code == 200
    assert only(house, district).platform.token_audience == "https://api.brightspace.com/auth/token"


def test_registering_again_brings_the_registration_up_to_date(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 3
    sends(client, house.registration_invitations.invite(district.id)[0], lms)
    first = only(house, district)
    house.registrations.approve(first.id)

    lms.deployment_id = "2"
    page = sends(client, house.registration_invitations.invite(district.id)[0], lms)
    assert "up to date" in page.text
    same = only(house, district)
    assert (same.id, same.state, same.platform.deployment_ids) == (first.id, "active", ("1", "2"))

    lms.changes = {"jwks_uri": f"{lms.address}/other-jwks"}
    sends(client, house.registration_invitations.invite(district.id)[0], lms)
    moved = only(house, district)
    assert (moved.id, moved.state, moved.platform.jwks_url) == (first.id, "pending", f"{lms.address}/other-jwks")


def test_another_district_s_client_is_not_turned_elsewhere(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 3
    sends(client, house.registration_invitations.invite(district.id)[0], lms)
    other = world.district(house, "south")
    lms.deployment_id = "2"
    lms.changes = {"authorization_endpoint": f"{lms.address}/stolen"}
    token = house.registration_invitations.invite(other.id)[0]
    page = sends(client, token, lms)
    assert page.status_code == 409
    assert "Delete the entry in the LMS" in page.text
    assert platforms(house, other) == []
    lms.changes = {}
    assert sends(client, token, lms).status_code == 200
    assert only(house, other).platform.client_id == "client-1"


def test_a_deployment_of_another_district_is_not_taken_and_nothing_is_kept(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 2
    sends(client, house.registration_invitations.invite(district.id)[0], lms)
    other = world.district(house, "south")
    page = sends(client, house.registration_invitations.invite(other.id)[0], lms)
    assert page.status_code == 409
    assert platforms(house, other) == []


def test_without_a_deployment_approval_waits_for_one(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    lms.deployment_id = None
    assert "--deployment-id ID" in sends(client, invitation, lms).text
    made = only(house, district)
    assert made.platform.deployment_ids == ()
    with pytest.raises(InvalidInput, match="--deployment-id"):
        house.registrations.approve(made.id)
    assert only(house, district).state == "pending"
    approved = house.registrations.approve(made.id, ["7"])
    assert (approved.state, approved.platform.deployment_ids) == ("active", ("7",))
    assert house.registrations.approve(made.id, ["7", "8"]).platform.deployment_ids == ("7", "8")


def test_a_platform_that_was_switched_off_is_not_switched_on_by_approval_or_registration(
    house: House, client: FlaskClient, district: District, lms: RegisteringPlatform
) -> None:
    lms.client_ids = ["client-1"] * 2
    sends(client, house.registration_invitations.invite(district.id)[0], lms)
    made = only(house, district)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET state = 'active'"))
        connection.execute(sa.text("UPDATE grants SET state = 'suspended'"))
    with pytest.raises(Conflict):
        house.registrations.approve(made.id)
    page = sends(client, house.registration_invitations.invite(district.id)[0], lms)
    assert "stays switched off" in page.text
    assert only(house, district).state == "suspended"


def test_a_removed_platform_is_not_approved(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    sends(client, invitation, lms)
    made = only(house, district)
    house.registrations.remove(made.id)
    with pytest.raises(NotFound):
        house.registrations.approve(made.id)


def test_a_registration_is_in_the_district_s_log(
    house: House, client: FlaskClient, district: District, invitation: str, lms: RegisteringPlatform
) -> None:
    sends(client, invitation, lms)
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
        sends(client, house.registration_invitations.invite(district.id)[0], lms)
        keys.issuer, keys.client_id, keys.deployment_id = lms.address, "client-1", "1"
        refused = world.launch(client, keys, house)
        assert refused.status_code == 403
        assert "nobody has approved it yet" in refused.text
        house.registrations.approve(only(house, district).id)
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
        **HISTORIES,
    }
    assert NOTICES in found["scopes"]
    (extension,) = found["extensions"]
    placements = {one["placement"]: one["message_type"] for one in extension["settings"]["placements"]}
    assert placements == {
        "link_selection": "LtiDeepLinkingRequest",
        "assignment_selection": "LtiDeepLinkingRequest",
    }
