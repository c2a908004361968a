"""What somebody asks for at `/me` is a case for their district: it is read, answered and wiped, and acts by nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.own_page import one, opened, post
from tests.functional.test_log_page import signed_in
from tests.functional.test_staff_access import only
from tests.peers.bare_platform import Platform

pytestmark = pytest.mark.usefixtures("district")


def test_the_wish_to_be_deleted_is_a_case_for_the_district_and_deletes_nothing(
    app: Flask, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    limits = 'limits:\n  access_days: {value: 30, clause: "Art. II 2"}'
    world.sign(house, district, world.contract(house, more=limits))
    opened(client, platform, house)
    assert post(client, "/me/ask", wish="erase", text="").status_code == 303
    assert post(client, "/me/ask", wish="correct", text="My name is <b>Aminata</b>.").status_code == 303
    assert "Amina Example" in client.get("/me").text
    staff = signed_in(app, house, StaffRole.DATA_STEWARD, district)
    cases = staff.get("/district/requests").text
    person_id = only(house, district)
    due = house.clock.now().date() + timedelta(days=30)
    assert "My name is &lt;b&gt;Aminata&lt;/b&gt;." in cases
    assert cases.count(f"/district/people/{person_id}") == cases.count(due.isoformat()) == 2
    assert "Amina Example" not in cases
    answered = re.findall(r'action="([^"]*/district/requests/own/[^"]+)"', cases)
    token = re.search('name="csrf_token" value="([^"]+)"', cases)
    assert token
    for action in answered:
        assert staff.post(action, data={"csrf_token": token[1]}).status_code == 303
    assert staff.post(answered[0], data={"csrf_token": token[1]}).status_code == 404
    assert one(house, district, "SELECT count(*) FROM own_request WHERE sealed IS NOT NULL") == 0
    page = client.get("/me").text
    assert page.count("answered on ") == 2
    assert "Somebody read what you had asked for." in page


def test_what_is_asked_is_encrypted_under_the_person_s_key_is_in_the_export_and_goes_with_the_person(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    post(client, "/me/ask", wish="question", text="Who is Zebulon?")
    assert b"Zebulon" not in bytes(one(house, district, "SELECT sealed FROM own_request"))
    assert "Zebulon" in post(client, "/me/export").text
    receipt = house.rights.erase(district.id, only(house, district), by="cli:op", keeps_grades=True)
    assert one(house, district, "SELECT count(*) FROM own_request") == 0
    assert "requests" in str(receipt)


def test_what_is_asked_is_wiped_after_90_days(
    client: FlaskClient, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    opened(client, platform, house)
    post(client, "/me/ask", wish="question", text="Who is Zebulon?")
    clock.pass_s(91 * 86_400)
    house.sweep()
    assert one(house, district, "SELECT sealed FROM own_request") is None


@pytest.mark.parametrize(
    ("wish", "text"), [("sell", "x"), ("", "x"), ("correct", " "), ("question", "\x00"), ("erase", "x" * 1_001)]
)
def test_a_wish_that_is_none_is_refused_and_opens_no_case(
    client: FlaskClient, platform: Platform, house: House, district: District, wish: str, text: str
) -> None:
    opened(client, platform, house)
    assert post(client, "/me/ask", wish=wish, text=text).status_code == 422
    assert one(house, district, "SELECT count(*) FROM own_request") == 0


def test_a_sixth_open_case_waits_for_an_answer(client: FlaskClient, platform: Platform, house: House) -> None:
    opened(client, platform, house)
    statuses = [post(client, "/me/ask", wish="erase").status_code for _ in range(6)]
    assert statuses == [303] * 5 + [429]


def test_a_payment_card_number_is_refused_in_what_is_asked(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    refused = post(client, "/me/ask", wish="question", text="Is 4111 1111 1111 1111 known?")
    assert refused.status_code == 422
    assert "4111" not in refused.text
    assert one(house, district, "SELECT count(*) FROM own_request") == 0
