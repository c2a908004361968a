"""How a launch ends where it does not open: by time, by its grant, or back in the course with words."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.lti.claims import check_message
from lti_server.lti.signature import VerifiedClaims
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import Platform

pytestmark = pytest.mark.usefixtures("district")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE grants SET epoch = epoch + 1",
        "UPDATE grants SET state = 'suspended'",
        "UPDATE session SET ended_at = now()",
    ],
)
def test_a_ticket_ends_with_its_grant_and_with_its_session(
    change: str, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    ticket = world.launch(client, platform, house).location.rpartition("ticket=")[2]
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text(change))
    assert house.handoff.exchange(ticket) is None


def test_a_registration_that_is_marked_removed_opens_nothing_even_by_a_door_that_was_left_open(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE registration SET removed_at = now()"))
    assert world.launch(client, platform, house).status_code == 403


@pytest.mark.parametrize("known", [False, True], ids=["first", "repeated"])
def test_a_launch_under_a_suspended_grant_says_so(
    known: bool, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    if known:
        world.launch(client, platform, house)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET state = 'suspended'"))
    begun = world.begin(client, platform)
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    answer = client.post("/lti/launch", data=form, headers={"Accept": "application/problem+json"})
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["reason"] == "grant-not-active"


def test_an_unexpanded_variable_is_no_value_of_a_custom_parameter(platform: Platform, house: House) -> None:
    said = {"lesson_id": "message-in-bits", "section": "$Canvas.course.sectionIds", "number": 7, "none": None}
    claims = VerifiedClaims(platform.claims("n", house.clock.now(), lti_custom=said))
    launch = check_message(claims, client_id=platform.client_id, tool_origin="http://127.0.0.1:8000")
    assert launch.custom == {"lesson_id": "message-in-bits", "number": "7"}


def test_a_login_is_good_for_ten_minutes(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    begun = world.begin(client, platform)
    clock.pass_s(601)
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    answer = client.post("/lti/launch", data=form, headers={"Accept": "application/problem+json"})
    assert (answer.status_code, answer.json and answer.json["reason"]) == (403, "state-expired")


def test_a_refusal_that_the_school_can_mend_goes_back_to_the_course_with_its_words(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    back = {"return_url": "https://lms.example/courses/7?tab=1"}
    answer = world.launch(
        client, platform, house, lti_custom={"lesson_id": "nothing-here"}, lti_launch_presentation=back
    )
    assert answer.status_code == 303
    parts = urlsplit(answer.location)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://lms.example/courses/7"
    said = parse_qs(parts.query)
    assert said["tab"] == ["1"]
    assert "does not name a lesson" in said["lti_errormsg"][0]
    assert said["lti_errorlog"][0].startswith("no-lesson ")


def test_a_faulty_message_is_refused_here_whatever_return_address_it_names(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    back = {"return_url": "https://lms.example/courses/7"}
    for fault in ({"lti_version": "11.3"}, {"lti_resource_link": None}, {"exp": 1}):
        answer = world.launch(client, platform, house, lti_launch_presentation=back, **fault)
        assert answer.status_code == 403


def test_a_return_address_that_is_no_web_address_is_not_followed(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    for address in ("javascript:alert(1)", "//evil.example", 7, "https://lms.example/\r\nSet-Cookie: a=b"):
        answer = world.launch(client, platform, house, lti_custom={}, lti_launch_presentation={"return_url": address})
        assert answer.status_code == 403
