"""A platform is taken for the vendor that it says it is, and its ways are allowed for."""

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
from lti_server.lti.tokens import service_of
from lti_server.privacy.districts import District
from tests import world
from tests.functional.test_inspector import signed_in
from tests.peers.bare_platform import Platform

pytestmark = pytest.mark.usefixtures("district")


def says(family: object) -> dict[str, Any]:
    return {"lti_tool_platform": {"guid": "lms", "product_family_code": family}}


def taken_for(house: House, district: District) -> str:
    (found,) = house.registrations.every(district.id)
    with house.database.tenant(district.id) as connection:
        assert service_of(connection, district, found.grant_id).profile is found.profile
    return found.profile.name


def test_what_a_launch_says_is_kept_for_the_services(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert taken_for(house, district) == "plain"
    world.launch(client, platform, house, **says("Moodle"))
    assert taken_for(house, district) == "moodle"


@pytest.mark.parametrize("said", [None, 7, "", "x" * 300, ["moodle"], "mood\nle"])
def test_a_launch_that_says_nothing_usable_opens_and_changes_nothing(
    said: object, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house, **says("sakai"))
    link = {"id": "link-2", "title": "Another"}
    assert world.launch(client, platform, house, lti_resource_link=link, **says(said)).status_code == 303
    assert taken_for(house, district) == "sakai"


def test_a_refused_launch_changes_nothing(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert world.launch(client, platform, house, lti_custom={}, **says("moodle")).status_code != 303
    assert taken_for(house, district) == "plain"


def test_the_administrator_sees_which_vendor_a_platform_is_taken_for(
    client: FlaskClient, platform: Platform, house: House, district: District, app: Flask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (registered,) = house.registrations.every(district.id)
    staff = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    page = f"/platforms/{registered.id}"
    assert "Of no vendor that is known here" in staff.get(page).text
    world.launch(client, platform, house, **says("desire2learn"))
    assert "Taken for D2L Brightspace" in staff.get(page).text
    assert "D2L Brightspace" in staff.get("/platforms").text
    monkeypatch.setattr(platform_commands, "open_house", lambda: house)
    for command in (["list"], ["inspect", str(registered.id)]):
        answer = CliRunner().invoke(cli.commands, ["platform", *command, "--json"])
        found = json.loads(answer.stdout)
        assert found.get("platforms", [found])[0]["profile"] == "d2l"
