"""The data privacy launch: what is kept, by category; nothing about others for whoever is no administrator."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import MEMBERSHIP, Platform

pytestmark = pytest.mark.usefixtures("district")
ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
STUDENT = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Student"
NAMES = ("DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest")
OFFICE = (
    "reports: [{audience: district, level: aggregate, dimensions: [], min_n: {value: 10, clause: x},"
    " recipients: [{name: Data office, email: data@district.example, role: data_steward}]}]"
)


def ask(client: FlaskClient, platform: Platform, house: House, *roles: str, **changes: Any) -> TestResponse:
    """The launch as its page sends it: no course, no link."""
    bare = dict.fromkeys(("lti_context", "lti_resource_link", "lti_custom", "lti_target_link_uri"))
    return world.launch(
        client, platform, house,
        **{"lti_message_type": NAMES[0], "lti_roles": list(roles), **bare, **changes},
    )  # fmt: skip


def page(client: FlaskClient, answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    shown = client.get(answer.location)
    assert shown.status_code == 200, shown.text
    return shown.text


@pytest.mark.parametrize("name", NAMES)
def test_an_administrator_reads_what_may_be_kept_of_whom_and_where_requests_go(
    name: str, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more=OFFICE))
    about = {"user_id": "pupil-7"}
    text = page(client, ask(client, platform, house, ADMINISTRATOR, lti_message_type=name, lti_for_user=about))
    for words in ("About pupils", "Attempts and scores in lessons", "400 days", "About teachers", "North"):
        assert words in text
    assert 'href="mailto:data@district.example"' in text
    assert "pupil-7" not in text


@pytest.mark.parametrize("roles", [(STUDENT,), (MEMBERSHIP + "Instructor",), (MEMBERSHIP + "Administrator",), ()])
def test_anybody_else_reads_about_their_own_data_alone(
    roles: tuple[str, ...], client: FlaskClient, platform: Platform, house: House
) -> None:
    text = page(client, ask(client, platform, house, *roles, lti_for_user={"user_id": "pupil-1"}))
    assert "may keep about you" in text
    assert "About pupils" not in text
    assert "/platforms" not in text


def test_who_is_no_administrator_may_not_ask_about_somebody_else(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    answer = ask(client, platform, house, MEMBERSHIP + "Instructor", lti_for_user={"user_id": "pupil-7"})
    assert answer.status_code == 403
    assert "Only an administrator" in answer.text


@pytest.mark.parametrize("about", ["pupil-1", [], {}, {"user_id": ""}, {"user_id": 7}])
def test_a_for_user_that_cannot_be_read_is_refused(
    about: object, client: FlaskClient, platform: Platform, house: House
) -> None:
    assert ask(client, platform, house, ADMINISTRATOR, lti_for_user=about).status_code == 403


def test_a_launch_without_for_user_is_about_the_reader(client: FlaskClient, platform: Platform, house: House) -> None:
    assert "may keep about you" in page(client, ask(client, platform, house))


def test_without_a_contract_the_page_says_that_nothing_may_be_kept(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    other = Platform(issuer="https://other.example", address=platform.address)
    world.register(house, world.district(house, "south", terms=None), other)
    assert "nothing may be kept" in page(client, ask(client, other, house))


def test_the_launch_is_logged_and_keeps_nobody(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    ask(client, platform, house, ADMINISTRATOR)
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT act, decision FROM log_entry")).all() == [("data-privacy", "allowed")]
        assert connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one() == 0


def test_the_address_of_the_page_holds_for_an_hour(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    address = ask(client, platform, house).location
    clock.pass_s(3_590)
    assert client.get(address).status_code == 200
    clock.pass_s(20)
    assert client.get(address).status_code == 404


def test_a_forged_address_opens_nothing(client: FlaskClient, platform: Platform, house: House) -> None:
    address = ask(client, platform, house).location
    for bad in ("/lti/data-privacy", "/lti/data-privacy?reader=x", address[:-3] + "abc", address + "x" * 3_000):
        assert client.get(bad).status_code == 404


def test_the_page_speaks_the_readers_language(client: FlaskClient, platform: Platform, house: House) -> None:
    answer = ask(client, platform, house, ADMINISTRATOR, lti_launch_presentation={"locale": "fr-CA"})
    assert "Données et vie privée" in page(client, answer)
    assert "Data and privacy" in client.get(answer.location + "&lang=en").text
