"""`/district/incidents`: what a district reads of an incident, by its own clock, and that nobody is named there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.incidents import Asked, Incidents
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.test_incident_commands import OFFICE, TERMS
from tests.functional.test_log_page import signed_in
from tests.peers import smtp
from tests.peers.bare_platform import Platform

PAGE = "/district/incidents"
Reader = Callable[..., str]
NAME = "student_name.first_and_or_last"


@pytest.fixture
def incidents(house: House) -> Incidents:
    return Incidents(house, "cli:test")


@pytest.fixture
def lived_in(house: House, district: District, client: FlaskClient, platform: Platform) -> District:
    """Two pupils, in a district whose clock is that of Paris."""
    world.sign(house, district, world.contract(house, more=TERMS))
    for pupil in ("ada", "bob"):
        assert world.launch(client, platform, house, sub=pupil).status_code == 303
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE district SET timezone = 'Europe/Paris'"))
    return district


@pytest.fixture
def read(app: Flask, house: House, lived_in: District) -> Reader:
    """The page as somebody of the district's staff reads it now: days later, they have signed in again."""

    def page(path: str = "", of: District = lived_in, role: StaffRole = StaffRole.DISTRICT_ADMIN) -> str:
        answer = signed_in(app, house, role, of).get(f"{PAGE}{path}")
        assert answer.status_code == 200
        return re.sub(r"\s+", " ", unescape(answer.text))  # also the thin space before AM and PM

    return page


def lost(clock: FakeClock, **more: object) -> Asked:
    return Asked(**{"description": "A laptop was lost.", "discovered_at": clock.now(), **more})  # type: ignore[arg-type]  # by their names


def test_a_district_without_incidents_reads_that_there_is_none(
    read: Reader, app: Flask, house: House, lived_in: District
) -> None:
    assert "No incident concerns your district." in read()
    assert f'href="{PAGE}"' in signed_in(app, house, StaffRole.DATA_STEWARD, lived_in).get("/district").text


def test_an_incident_is_told_with_its_data_its_number_of_people_and_nobodys_name(
    read: Reader, incidents: Incidents, clock: FakeClock
) -> None:
    made = incidents.open(lost(clock, elements=(NAME,), provider="lti"))
    assert f"{PAGE}/{made}" in read()
    page = read(f"/{made}")
    assert "A laptop was lost." in page
    assert "<dt>Which data</dt><dd>Name</dd>" in page
    assert "<dt>People affected</dt><dd>2</dd>" in page
    assert not [word for word in ("Amina", "Example Pupil", "ada", "bob") if re.search(rf"\b{word}\b", page)]


def test_the_strictest_moment_is_said_with_its_clause_by_the_districts_clock(
    read: Reader, incidents: Incidents, clock: FakeClock
) -> None:
    made = incidents.open(lost(clock))
    assert "State: suspected" in read(f"/{made}")
    due = (clock.now() + timedelta(hours=168 + 1)).strftime("%B %-d, %Y, %-I:%M:%S")  # Paris, in winter
    assert f"<strong>{due}" in read(f"/{made}")
    assert "8 NYCRR 121.10(a), 7 days" in read()
    incidents.confirm(made, clock.now())
    due = (clock.now() + timedelta(hours=72 + 1)).strftime("%B %-d, %Y, %-I:%M:%S")
    page = read(f"/{made}")
    assert re.search(rf"<strong>{due} [AP]M \+0100</strong> · Art\. V 4", page)
    assert "72 hours from the confirmation" in page
    assert "late" not in read()
    clock.pass_s(72 * 3_600 + 1)
    assert "<strong>late</strong>" in read()


def test_a_contract_that_counts_from_the_confirmation_shows_no_moment_before_it(
    read: Reader, incidents: Incidents, clock: FakeClock, house: House
) -> None:
    south = world.district(house, "south", terms=world.contract(house, more=TERMS.replace("ny_2d", "")))
    made = incidents.open(lost(clock), ["south"])
    page = read(f"/{made}", south, StaffRole.DATA_STEWARD)
    assert "No clock runs yet" in page
    assert "Art. V 4 · 72 hours from the confirmation" in page


def test_each_notice_stands_there_with_its_channel_and_what_became_of_it(
    read: Reader, incidents: Incidents, clock: FakeClock, house: House, lived_in: District
) -> None:
    made = incidents.open(lost(clock))
    assert "No notice has gone yet." in read(f"/{made}")
    assert "The operator sends you the notice." in read(f"/{made}")
    incidents.notify(made)
    assert "e-mail, waits to be sent" in read(f"/{made}")
    clock.pass_s(60)
    ((message,),) = ([one["id"] for one in notice["messages"]] for notice in incidents.districts_of(made)[0].notices)
    with smtp.serving() as peer:
        sender = house.send_mail()
        sender._smtp_url = peer.url
        sender(str(lived_in.id), message)
    taken = (clock.now() + timedelta(hours=1)).strftime("%-I:%M:%S")
    page = read(f"/{made}")
    assert re.search(rf"e-mail, taken by the mail server: [^<]* {taken}", page)
    assert OFFICE not in page
    clock.pass_s(8 * 86_400)
    assert "late" not in read()


def test_a_notice_without_an_address_says_so_and_what_to_do(
    read: Reader, incidents: Incidents, clock: FakeClock, house: House
) -> None:
    south = world.district(house, "south")
    made = incidents.open(lost(clock), ["south"])
    clock.pass_s(1)
    incidents.notify(made)
    page = read(f"/{made}", south)
    assert "names no office with an address" in page
    assert "Ask the operator for it" in page
    assert "Without undue delay: your contract sets no number." in page
    assert "has passed" not in page
    assert "<strong>late</strong>" not in read(of=south)


def test_while_law_enforcement_asks_to_wait_nothing_of_what_happened_is_told(
    read: Reader, incidents: Incidents, clock: FakeClock
) -> None:
    made = incidents.open(lost(clock, elements=(NAME,)))
    incidents.delay(made, clock.now() + timedelta(days=2), "Case 7")
    for path in ("", f"/{made}"):
        page = read(path)
        assert "Law enforcement has asked to say no more before" in page
        assert not [word for word in ("laptop", "Case 7", "<dd>Name</dd>", "People affected") if word in page]
    clock.pass_s(2 * 86_400 + 1)
    page = read(f"/{made}")
    assert "A laptop was lost." in page
    assert "Case 7" not in page


def test_a_notice_that_went_before_it_was_asked_to_wait_hides_nothing(
    read: Reader, incidents: Incidents, clock: FakeClock
) -> None:
    made = incidents.open(lost(clock))
    incidents.notify(made)
    incidents.delay(made, clock.now() + timedelta(days=2), "Case 7")
    assert "A laptop was lost." in read(f"/{made}")


def test_a_closed_incident_has_nothing_left_to_do(read: Reader, incidents: Incidents, clock: FakeClock) -> None:
    made = incidents.open(lost(clock))
    assert "You tell families and authorities" in read(f"/{made}")
    incidents.close(made)
    page = read(f"/{made}")
    assert "State: closed" in page
    assert "Nothing: it is closed." in page
    assert "You tell families" not in page


def test_another_districts_incident_is_not_there(
    read: Reader, incidents: Incidents, clock: FakeClock, house: House, app: Flask, lived_in: District
) -> None:
    world.district(house, "south")
    made = incidents.open(lost(clock), ["south"])
    assert "No incident concerns your district." in read()
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, lived_in)
    for one in (made, UUID(int=7), "nonsense"):
        assert admin.get(f"{PAGE}/{one}").status_code == 404


@pytest.mark.parametrize("role", [one for one in StaffRole if one not in ("district_admin", "data_steward")])
def test_who_may_not_read_the_log_reads_no_incident(
    role: StaffRole, app: Flask, house: House, lived_in: District, incidents: Incidents, clock: FakeClock
) -> None:
    made = incidents.open(lost(clock))
    browser = signed_in(app, house, role, None if role is StaffRole.OPERATOR else lived_in)
    for path in ("", f"/{made}"):
        assert browser.get(f"{PAGE}{path}").status_code in (403, 404)
    assert app.test_client().get(PAGE).status_code == 401
