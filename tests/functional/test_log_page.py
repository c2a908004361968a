"""The log as a page: for those who may, of their district alone."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.privacy import log, log_reading
from lti_server.privacy.districts import District
from tests import world
from tests.functional.inviting import form_of
from tests.peers.bare_platform import Platform


def signed_in(app: Flask, house: House, role: StaffRole, district: District | None) -> FlaskClient:
    browser = app.test_client()
    token, _ = house.invitations.invite(role, district.id if district else None)
    page = browser.get(f"/signin/invitation/{token}")
    assert browser.post(f"/signin/invitation/{token}", data=form_of(page.text)).status_code == 303
    return browser


def test_a_launch_and_a_refusal_are_on_the_page_and_nobody_s_name_is(
    app: Flask, house: House, district: District, client: FlaskClient, platform: Platform
) -> None:
    world.launch(client, platform, house)
    world.launch(client, platform, house, lti_version="11.3")
    page = signed_in(app, house, StaffRole.DATA_STEWARD, district).get("/district/log")
    assert page.status_code == 200
    assert page.text.count('<td role="cell">launch') == 2
    assert "<strong>refused</strong>" in page.text
    assert not [word for word in ("Amina", "Example Pupil", "pupil-1") if word in page.text]


def test_a_filter_shows_what_was_asked_for(app: Flask, house: House, district: District) -> None:
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    browser.get("/district/log")
    assert "log see" in browser.get("/district/log?act=log+see&decision=allowed").text
    assert "No entry fits." in browser.get("/district/log?decision=refused&since=2020-01-01&until=2020-01-02").text


@pytest.mark.parametrize("query", ["since=yesterday", "until=9999-12-31", "decision=maybe", "after=x"])
def test_a_question_that_cannot_be_answered_is_refused_in_words(
    app: Flask, house: House, district: District, query: str
) -> None:
    answer = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get(f"/district/log?{query}")
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("role", [StaffRole.TEACHER, StaffRole.SCHOOL_ADMIN, StaffRole.EVALUATOR])
def test_a_role_that_may_not_sees_no_entry(app: Flask, house: House, district: District, role: StaffRole) -> None:
    assert signed_in(app, house, role, district).get("/district/log").status_code == 403


def test_nobody_and_the_operator_see_no_entry(app: Flask, house: House, district: District) -> None:
    assert app.test_client().get("/district/log").status_code == 401
    assert signed_in(app, house, StaffRole.OPERATOR, None).get("/district/log").status_code == 403


def test_a_district_downloads_a_checkpoint_of_its_own_log_and_of_no_other(
    app: Flask, house: House, district: District
) -> None:
    world.district(house, "south")
    answer = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get("/district/log/checkpoint")
    said = json.loads(answer.data)["document"]
    assert [one["district"] for one in said["body"]["chains"]] == [str(district.id)]
    assert house.audit.verify([district.id], house.audit.read_checkpoint(answer.data))[0].ok


def test_the_page_is_in_french_for_who_reads_french(app: Flask, house: House, district: District) -> None:
    page = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get(
        "/district/log", headers={"Accept-Language": "fr"}
    )
    assert "Journal" in page.text
    assert "Download" not in page.text


@pytest.mark.parametrize("allowed", [True, False], ids=["which the contract lets in", "which it refuses"])
def test_no_entry_hints_that_a_pupil_has_an_e_mail(
    allowed: bool, app: Flask, house: House, district: District, client: FlaskClient, platform: Platform
) -> None:
    """On the page, in the file to hand on, and in what `audit list` reads; the sealed entry, and the pupil, know."""
    if allowed:
        world.sign(house, district, world.contract(house, more=f"  student_contact.email: {world.SCHOOL}"))
    assert world.launch(client, platform, house, email="amina@pupils.example").status_code == 303
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    with house.database.tenant(district.id) as connection:
        keys = house.entered(connection).keys
        listed = log_reading.read_log(connection, keys, log_reading.Wanted(act="launch")).items
        entry = connection.execute(sa.text("SELECT * FROM log_entry WHERE act = 'launch'")).one()
        person_id = PersonId(entry.object_id)
        own = log_reading.entries_about(connection, keys, person_id, person_key=None).items
        refused = log.payload_of(keys, bytes(entry.payload))["refused"]
    assert ("student_contact.email" in entry.elements, "email" in str(refused)) == (allowed, not allowed)
    assert [one.elements for one in own] == [tuple(entry.elements)]
    for told in (
        browser.get("/district/log").text,
        browser.get("/district/log/extract").text,
        str([one.plain() for one in listed]),
    ):
        assert "launch" in told
        assert "email" not in told
