"""An invitation lets one person in, once; opening its link alone spends nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.invitations import INVITATION_LIFE, SESSION_LIFE
from lti_server.accounts.permissions import PERMISSIONS, Permission, StaffRole, may
from lti_server.app import House
from lti_server.errors import InvalidInput
from lti_server.privacy.districts import District
from tests.clock import FakeClock
from tests.functional.inviting import form_of


def _form(client: FlaskClient, path: str) -> dict[str, str]:
    page = client.get(path)
    assert page.status_code == 200, page.text
    return form_of(page.text)


def _invited(house: House, district: District | None, role: StaffRole) -> str:
    token, _ = house.invitations.invite(role, district.id if district else None)
    return f"/signin/invitation/{token}"


def _enters(client: FlaskClient, path: str) -> int:
    return client.post(path, data=_form(client, path)).status_code


@pytest.mark.parametrize("role", list(StaffRole))
def test_each_role_comes_in_and_is_told_who_it_is(
    house: House, district: District, client: FlaskClient, role: StaffRole
) -> None:
    path = _invited(house, None if role is StaffRole.OPERATOR else district, role)
    assert _enters(client, path) == 303
    assert "/account" in client.get("/").text
    page = client.get("/account")
    assert page.status_code == 200
    assert (district.name in page.text) is (role is not StaffRole.OPERATOR)
    assert role.value.replace("_", " ").replace(" admin", " administrator") in page.text


def test_previews_of_the_link_do_not_spend_it(house: House, district: District, client: FlaskClient) -> None:
    path = _invited(house, district, StaffRole.DATA_STEWARD)
    for _ in range(3):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200
    assert _enters(client, path) == 303


def test_it_works_once(house: House, district: District, app: Flask) -> None:
    path = _invited(house, district, StaffRole.TEACHER)
    first, second = app.test_client(), app.test_client()
    form = _form(second, path)
    assert _enters(first, path) == 303
    assert second.post(path, data=form).status_code == 404
    assert second.get(path).status_code == 404
    assert second.get("/account").status_code == 303


def test_it_ends_after_a_week(house: House, district: District, client: FlaskClient, clock: FakeClock) -> None:
    path = _invited(house, district, StaffRole.TEACHER)
    form = _form(client, path)
    clock.pass_s(INVITATION_LIFE.total_seconds() + 1)
    assert client.get(path).status_code == 404
    assert client.post(path, data=form).status_code == 404


def test_an_invented_token_opens_nothing(client: FlaskClient, district: District) -> None:
    assert client.get("/signin/invitation/" + "x" * 43).status_code == 404


def test_another_site_cannot_spend_it(house: House, district: District, client: FlaskClient) -> None:
    path = _invited(house, district, StaffRole.TEACHER)
    assert client.post(path).status_code == 403
    assert client.post(path, data={"csrf_token": "forged"}).status_code == 403
    assert _enters(client, path) == 303


def test_signing_out_ends_the_session_on_the_server(house: House, district: District, client: FlaskClient) -> None:
    _enters(client, _invited(house, district, StaffRole.TEACHER))
    cookie = client.get_cookie("lti_staff")
    assert cookie is not None
    assert client.post("/signout", data=_form(client, "/account")).status_code == 303
    client.set_cookie("lti_staff", cookie.value)
    assert client.get("/account").status_code == 303


def test_a_session_ends_by_itself(house: House, district: District, client: FlaskClient, clock: FakeClock) -> None:
    _enters(client, _invited(house, district, StaffRole.TEACHER))
    clock.pass_s((SESSION_LIFE + timedelta(seconds=1)).total_seconds())
    assert client.get("/account").status_code == 303


def test_the_cookie_is_for_the_server_alone(house: House, district: District, client: FlaskClient) -> None:
    path = _invited(house, district, StaffRole.TEACHER)
    answer = client.post(path, data=_form(client, path))
    (cookie,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("lti_staff=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_an_operator_has_no_district_and_everybody_else_has_one(house: House, district: District) -> None:
    with pytest.raises(InvalidInput):
        house.invitations.invite(StaffRole.OPERATOR, district.id)
    with pytest.raises(InvalidInput):
        house.invitations.invite(StaffRole.TEACHER, None)


def test_one_table_says_what_each_role_may_and_what_is_not_in_it_is_refused() -> None:
    assert set(PERMISSIONS) == set(StaffRole)
    assert all(may(role, Permission.SEE_HOME) for role in StaffRole)
    assert not may("janitor", Permission.SEE_HOME)
    people = {Permission.SEE_SECTIONS, Permission.SEE_OWN_SECTIONS, Permission.SEE_REPORTS, Permission.SEE_LOG}
    assert not people & PERMISSIONS[StaffRole.OPERATOR], "the operator reads no district's people"
