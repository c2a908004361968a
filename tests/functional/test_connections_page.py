"""`/district/connections`: suspending and revoking by forms that need no script, for those who may, and a receipt."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.ids import GrantId
from lti_server.privacy.districts import District
from lti_server.privacy.signed_documents import checked, public_keys
from tests import world
from tests.clock import FakeClock
from tests.functional.test_inspector import signed_in
from tests.peers.bare_platform import Platform

REASON = "We change our LMS."


@pytest.fixture
def grant_id(house: House, district: District) -> str:
    (found,) = house.registrations.every(district.id)
    return str(found.grant_id)


@pytest.fixture
def admin(app: Flask, house: House, district: District) -> FlaskClient:
    return signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)


def post(browser: FlaskClient, grant_id: str, act: str, **form: str) -> int:
    """Send the form as the page has it; answers the status."""
    page = browser.get(f"/district/connections/{grant_id}")
    found = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert found
    return browser.post(f"/district/connections/{grant_id}/{act}", data={"csrf_token": found[1], **form}).status_code


def test_the_list_leads_to_each_connection(admin: FlaskClient, grant_id: str) -> None:
    page = admin.get("/district/connections")
    assert f"/district/connections/{grant_id}" in page.text
    assert "in force" in page.text


def test_revoking_gives_a_receipt_that_anyone_can_check(
    admin: FlaskClient, app: Flask, grant_id: str, house: House, district: District, platform: Platform
) -> None:
    world.launch(app.test_client(), platform, house)
    page = admin.get(f"/district/connections/{grant_id}").text
    assert "Pupils: 1" in page
    assert post(admin, grant_id, "revoke", uses="all", reason=REASON) == 303
    page = admin.get(f"/district/connections/{grant_id}").text
    assert "sessions ended" in page
    assert "http-equiv" not in page
    link = re.search('href="([^"]+/receipts/[^"]+)"', page)
    assert link
    file = admin.get(link[1]).data
    said = checked(file, public_keys(house.document_keys.public_jwks()))
    assert (said.kind, said.body["grant"], said.body["epoch"]) == ("revocation-receipt", grant_id, 2)
    assert said.district == str(district.id)
    assert admin.get(link[1]).data == file


def test_while_something_is_in_flight_the_page_says_so_and_looks_again(
    admin: FlaskClient, grant_id: str, house: House, district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = house.registrations.every(district.id)
    monkeypatch.setattr("lti_server.accounts.connection_views.PATIENCE_S", 0)
    with house.grants.fence.holding(district.id, found.grant_id, 1):
        assert post(admin, grant_id, "revoke", uses="all", reason=REASON) == 303
        page = admin.get(f"/district/connections/{grant_id}").text
        assert "waiting for 1 in flight" in page
        assert 'http-equiv="refresh"' in page
    house.handlers()["grants.finish"](str(district.id), grant_id)
    assert "waiting for" not in admin.get(f"/district/connections/{grant_id}").text


def test_suspending_and_resuming(
    admin: FlaskClient, app: Flask, grant_id: str, house: House, platform: Platform
) -> None:
    assert post(admin, grant_id, "suspend") == 303
    assert world.launch(app.test_client(), platform, house).status_code == 403
    assert post(admin, grant_id, "resume") == 303
    assert world.launch(app.test_client(), platform, house).status_code == 303


def test_one_use_can_be_ended_alone(admin: FlaskClient, grant_id: str, house: House, district: District) -> None:
    assert post(admin, grant_id, "revoke", uses="roster", reason=REASON) == 303
    page = admin.get(f"/district/connections/{grant_id}").text
    assert "Sign-in alone" not in page
    assert "in force · sign-in" in page


@pytest.mark.parametrize("form", [{"uses": "all"}, {"reason": REASON}, {"uses": "everything", "reason": REASON}])
def test_a_form_that_is_not_whole_changes_nothing(
    admin: FlaskClient, grant_id: str, house: House, district: District, form: dict[str, str]
) -> None:
    assert post(admin, grant_id, "revoke", **form) == 422
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT state FROM grants")).scalar_one() == "active"


def test_a_form_from_elsewhere_is_refused(admin: FlaskClient, grant_id: str) -> None:
    answer = admin.post(f"/district/connections/{grant_id}/revoke", data={"uses": "all", "reason": REASON})
    assert answer.status_code >= 400
    assert "in force" in admin.get(f"/district/connections/{grant_id}").text


def test_the_log_names_who_revoked_by_their_session(
    admin: FlaskClient, grant_id: str, house: House, district: District
) -> None:
    assert post(admin, grant_id, "revoke", uses="all", reason=REASON) == 303
    with house.database.tenant(district.id) as connection:
        actor = connection.execute(sa.text("SELECT actor FROM log_entry WHERE act = 'grant revoke'")).scalar_one()
    assert re.fullmatch("staff:[0-9a-f-]{36}", actor)


@pytest.mark.parametrize("role", [role for role in StaffRole if role not in ("district_admin", "data_steward")])
def test_who_may_not_revoke_sees_nothing(
    role: StaffRole, app: Flask, house: House, district: District, grant_id: str
) -> None:
    browser = signed_in(app, house, role, None if role is StaffRole.OPERATOR else district)
    for path in ("", f"/{grant_id}"):
        assert browser.get(f"/district/connections{path}").status_code in (403, 404)
    assert app.test_client().get("/district/connections").status_code == 401


def test_another_districts_connection_is_not_there(app: Flask, house: House, grant_id: str) -> None:
    other = world.district(house, "south")
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, other)
    assert browser.get(f"/district/connections/{grant_id}").status_code == 404
    assert browser.get("/district/connections/nonsense").status_code == 404


def test_a_step_that_is_not_done_in_its_time_is_shown_as_overdue(
    admin: FlaskClient, grant_id: str, house: House, district: District, clock: FakeClock
) -> None:
    house.grants.withdraw.begin(district.id, GrantId(UUID(grant_id)), by="test", reason=REASON)
    assert "overdue" not in admin.get(f"/district/connections/{grant_id}").text
    clock.pass_s(61)
    assert "overdue" in admin.get(f"/district/connections/{grant_id}").text
    assert house.grants.withdraw.finish(district.id, GrantId(UUID(grant_id)))
    page = admin.get(f"/district/connections/{grant_id}").text
    assert "overdue" not in page
    assert "late" in page


def test_what_the_contract_itself_leaves_outside_is_listed(
    admin: FlaskClient, app: Flask, grant_id: str, house: House, district: District, platform: Platform
) -> None:
    world.launch(app.test_client(), platform, house)
    assert "What it reaches" not in admin.get(f"/district/connections/{grant_id}").text
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE section SET school = 'Lake School'"))
    terms = "providers: {lti: {population: {schools: [Hill School]}}}"
    world.sign(house, district, world.contract(house, more=terms))
    with house.database.tenant(district.id) as connection:
        house.grants.follow(connection, district)
    page = admin.get(f"/district/connections/{grant_id}").text
    assert "Schools in the contract: Hill School." in page
    assert "Lake School: classes outside 1" in page
    assert "It was narrowed" not in page
