"""The launch inspector: one sentence for each failure, and nobody's name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from lti_server import cli
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.cli import platform as platform_commands
from lti_server.privacy.districts import District
from tests import world
from tests.functional.inviting import form_of
from tests.peers.bare_platform import Platform

pytestmark = pytest.mark.usefixtures("district")
SEEDED = ("Amina", "Example", "amina@school.example", "pupil-1", "eyJ")


@pytest.fixture
def seen(client: FlaskClient, platform: Platform, house: House, district: District) -> str:
    """The id of a platform that launched once well, and three times badly."""
    world.launch(client, platform, house)
    for fault in ({"lti_version": "11.3"}, {"exp": 1, "iat": 1}, {"lti_custom": {"lesson_id": "gone"}}):
        assert world.launch(client, platform, house, **fault).status_code == 403
    (registered,) = house.registrations.every(district.id)
    return str(registered.id)


def signed_in(app: Flask, house: House, role: StaffRole, district: District | None) -> FlaskClient:
    browser = app.test_client()
    token, _ = house.invitations.invite(role, district.id if district else None)
    page = browser.get(f"/signin/invitation/{token}")
    assert browser.post(f"/signin/invitation/{token}", data=form_of(page.text)).status_code == 303
    return browser


def test_each_launch_has_its_outcome_and_one_sentence(seen: str, app: Flask, house: House, district: District) -> None:
    page = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get(f"/platforms/{seen}")
    assert page.status_code == 200
    assert page.text.count("<strong>refused</strong>") == 3
    assert page.text.count(">opened") == 1
    for words in ("another version than LTI 1.3", "had expired", "named no lesson"):
        assert words in page.text


def test_no_name_address_or_token_is_on_the_page(seen: str, app: Flask, house: House, district: District) -> None:
    page = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get(f"/platforms/{seen}")
    assert not [word for word in SEEDED if word in page.text]


def test_a_deployment_that_nobody_registered_is_told_to_the_one_district_of_its_client(
    seen: str, client: FlaskClient, platform: Platform, app: Flask, house: House, district: District
) -> None:
    assert world.launch(client, platform, house, lti_deployment_id="deployment-9").status_code == 403
    page = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get(f"/platforms/{seen}")
    assert "add its deployment id" in page.text
    assert "deployment-9" not in page.text


def test_the_page_speaks_french(seen: str, app: Flask, house: House, district: District) -> None:
    page = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get(f"/platforms/{seen}?lang=fr")
    assert "Dernières ouvertures" in page.text


def test_the_list_leads_to_each_platform(seen: str, app: Flask, house: House, district: District) -> None:
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    assert "/platforms" in browser.get("/account").text
    assert f"/platforms/{seen}" in browser.get("/platforms").text


def test_nobody_sees_it_without_signing_in(seen: str, app: Flask) -> None:
    assert app.test_client().get("/platforms").status_code == 401
    assert app.test_client().get(f"/platforms/{seen}").status_code == 401


@pytest.mark.parametrize("role", [StaffRole.TEACHER, StaffRole.SCHOOL_ADMIN, StaffRole.EVALUATOR])
def test_a_role_without_the_permission_is_refused(
    role: StaffRole, seen: str, app: Flask, house: House, district: District
) -> None:
    assert signed_in(app, house, role, district).get(f"/platforms/{seen}").status_code == 403


def test_another_districts_administrator_finds_nothing(seen: str, app: Flask, house: House) -> None:
    other = signed_in(app, house, StaffRole.DISTRICT_ADMIN, world.district(house, "south"))
    assert other.get(f"/platforms/{seen}").status_code == 404
    assert seen not in other.get("/platforms").text


def test_the_command_says_the_same(seen: str, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_commands, "open_house", lambda: house)
    answer = CliRunner().invoke(cli.commands, ["platform", "inspect", seen, "--json"])
    assert answer.exit_code == 0, answer.output
    said: dict[str, Any] = json.loads(answer.stdout)
    assert [one["reason"] for one in said["launches"]] == ["no-lesson", "expired", "version", ""]
    assert said["deliveries"] == []
    assert not [word for word in SEEDED if word in answer.output]
