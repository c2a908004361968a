"""`/api/v1/grants`: the console's session lists and revokes; a change needs the form token."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.functional.test_inspector import signed_in
from tests.peers.bare_platform import Platform

PROBLEM = "application/problem+json"


@pytest.fixture
def admin(app: Flask, house: House, district: District) -> FlaskClient:
    return signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)


@pytest.fixture
def grant_id(house: House, district: District) -> str:
    (found,) = house.registrations.every(district.id)
    return str(found.grant_id)


def revoke(browser: FlaskClient, grant_id: str, body: Any, *, token: bool = True) -> Any:
    page = browser.get(f"/district/connections/{grant_id}")
    found = re.search('name="csrf_token" value="([^"]+)"', page.text)
    headers = {"X-CSRFToken": found[1]} if token and found else {}
    return browser.post(f"/api/v1/grants/{grant_id}/revoke", json=body, headers=headers)


def state(house: House, district: District) -> str:
    with house.database.tenant(district.id) as connection:
        return str(connection.execute(sa.text("SELECT state FROM grants ORDER BY created_at, id")).scalars().first())


def test_the_list_has_the_connections_and_their_receipts(admin: FlaskClient, grant_id: str) -> None:
    answer: Any = admin.get("/api/v1/grants").json
    assert answer["next"] is None
    (one,) = answer["items"]
    assert (one["id"], one["state"], one["epoch"], one["receipts"]) == (grant_id, "active", 1, [])


def test_a_long_list_comes_in_pages_each_connection_once(
    admin: FlaskClient, house: House, district: District, platform: Platform
) -> None:
    for number in range(2, 6):
        world.register(
            house, district, dataclasses.replace(platform, client_id=f"client-{number}", deployment_id=f"d-{number}")
        )
    seen: list[str] = []
    cursor: Any = ""
    for _ in range(3):
        answer: Any = admin.get("/api/v1/grants", query_string={"limit": 2, "cursor": cursor}).json
        seen += [one["id"] for one in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert cursor is None
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=nonsense", "cursor=!!", "page=2"])
def test_a_page_that_cannot_be_is_a_problem(admin: FlaskClient, query: str) -> None:
    answer = admin.get(f"/api/v1/grants?{query}")
    assert (answer.status_code, answer.mimetype) == (422, PROBLEM)


def test_revoking_answers_with_the_receipt(
    admin: FlaskClient, app: Flask, grant_id: str, house: House, district: District, platform: Platform
) -> None:
    assert world.launch(app.test_client(), platform, house).status_code == 303
    answer = revoke(admin, grant_id, {"reason": "We change our LMS."})
    assert answer.status_code == 200, answer.text
    assert (answer.json["state"], answer.json["epoch"]) == ("revoked", 2)
    (receipt,) = answer.json["receipts"]
    assert receipt["acknowledged_at"] is not None
    assert receipt["asked_by"].startswith("staff:")
    assert world.launch(app.test_client(), platform, house).status_code in (400, 403, 404)


def test_one_use_can_be_revoked_alone(admin: FlaskClient, grant_id: str) -> None:
    answer = revoke(admin, grant_id, {"reason": "Launches alone.", "uses": ["roster"]})
    assert (answer.json["state"], answer.json["uses"]) == ("active", ["signin"])


def test_without_the_form_token_nothing_is_revoked(
    admin: FlaskClient, grant_id: str, house: House, district: District
) -> None:
    answer = revoke(admin, grant_id, {"reason": "x"}, token=False)
    assert (answer.status_code, answer.mimetype) == (403, PROBLEM)
    assert state(house, district) == "active"


@pytest.mark.parametrize(
    "body",
    [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x", "uses": []}, {"reason": "x", "uses": ["all"]},
     {"reason": "x", "force": True}, {"reason": "x" * 501}, ["x"], None],
)  # fmt: skip
def test_a_body_that_is_not_as_it_must_be_changes_nothing(
    admin: FlaskClient, grant_id: str, house: House, district: District, body: Any
) -> None:
    answer = revoke(admin, grant_id, body)
    assert (answer.status_code, answer.mimetype) == (422, PROBLEM)
    assert state(house, district) == "active"


def test_an_unknown_connection_is_not_there(admin: FlaskClient, grant_id: str) -> None:
    page = admin.get(f"/district/connections/{grant_id}").text
    found = re.search('name="csrf_token" value="([^"]+)"', page)
    assert found
    for wanted in ("nonsense", "00000000-0000-4000-8000-000000000000"):
        answer = admin.post(f"/api/v1/grants/{wanted}/revoke", json={"reason": "x"}, headers={"X-CSRFToken": found[1]})
        assert (answer.status_code, answer.mimetype) == (404, PROBLEM)


def test_who_may_not_sees_and_changes_nothing(app: Flask, house: House, district: District, grant_id: str) -> None:
    assert app.test_client().get("/api/v1/grants").status_code == 401
    teacher = signed_in(app, house, StaffRole.TEACHER, district)
    assert teacher.get("/api/v1/grants").status_code == 403
    other = signed_in(app, house, StaffRole.DISTRICT_ADMIN, world.district(house, "south"))
    listed: Any = other.get("/api/v1/grants").json
    assert listed["items"] == []
    page = other.get("/district/connections").text
    assert grant_id not in page
    assert other.post(f"/api/v1/grants/{grant_id}/revoke", json={"reason": "x"}).status_code in (403, 404)
    assert state(house, district) == "active"


def test_the_description_of_the_api_has_both(app: Flask) -> None:
    document: Any = app.test_client().get("/api/v1/openapi.json").json
    assert "get" in document["paths"]["/api/v1/grants"]
    assert "post" in document["paths"]["/api/v1/grants/{grant_id}/revoke"]
