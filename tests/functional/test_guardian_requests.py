"""The guardian's door: a case for the district, and no word to anybody on whether a child is known."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House, create_app
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.tenants.test_tables import tables
from tests.functional.test_log_page import signed_in
from tests.peers.bare_platform import Platform

TEXT = "Please show me what is kept of Amina Example. You reach me at guardian@home.example."


def ask(client: FlaskClient, slug: str, text: str = TEXT, lang: str = "en") -> TestResponse:
    page = client.get(f"/privacy/request?lang={lang}")
    token = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert token
    return client.post("/privacy/request", data={"csrf_token": token[1], "district": slug, "text": text})


def test_the_answer_is_the_same_for_a_child_who_is_here_one_who_is_not_and_a_district_that_is_none(
    client: FlaskClient, house: House, district: District, platform: Platform
) -> None:
    world.launch(client, platform, house)
    answers = [ask(client, "north"), ask(client, "north", "And of Nobody At All?"), ask(client, "no-such-place")]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert "Amina" not in answers[0].text


def test_nothing_about_a_person_is_looked_up_for_an_answer(
    client: FlaskClient, house: House, district: District
) -> None:
    asked: list[str] = []
    sa.event.listen(house.database.engine, "before_cursor_execute", lambda *said: asked.append(str(said[2])))
    ask(client, "north")
    assert asked
    assert not [one for one in asked if re.search(r"\b(person|person_field|identity|membership)\b", one)]


def everything(house: House, district: District) -> dict[str, list[str]]:
    """What is kept of people; cases, the log and sessions of staff are written by whoever asks and answers."""
    with house.database.tenant(district.id) as connection:
        names = tables(connection).keys() - {"guardian_request", "log_entry", "log_link", "log_pending", "session"}
        return {
            one: sorted(map(str, connection.execute(sa.text(f"SELECT t::text FROM {one} t")).scalars()))
            for one in sorted(names)
        }


def test_nothing_of_a_child_changes_by_what_somebody_asks_at_the_door_nor_by_its_being_read_and_answered(
    app: Flask, client: FlaskClient, house: House, district: District, platform: Platform
) -> None:
    """Whoever writes there is not known: the district finds out who asks, and for whom, and then acts by itself."""
    world.launch(client, platform, house)
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    before = everything(house, district)
    assert before["person"]
    assert before["person_field"]
    ask(client, "north", "Erase everything of Amina Example at once, and block her. I am her mother.")
    page = browser.get("/district/requests").text
    assert "I am her mother." in page
    token = re.search('name="csrf_token" value="([^"]+)"', page)
    action = re.search(r'action="([^"]*/district/requests/[^"]+)"', page)
    assert token
    assert action
    assert browser.post(action[1], data={"csrf_token": token[1]}).status_code == 303
    assert everything(house, district) == before


def test_the_district_reads_the_case_with_its_day_and_what_was_written_goes_with_the_answer(
    app: Flask, client: FlaskClient, house: House, district: District, clock: FakeClock
) -> None:
    limits = 'limits:\n  access_days: {value: 30, clause: "Art. II 2"}'
    world.sign(house, district, world.contract(house, more=limits))
    ask(client, "north")
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    page = browser.get("/district/requests").text
    due = (clock.now().date().toordinal()) + 30
    assert "guardian@home.example" in page
    assert type(clock.now().date()).fromordinal(due).isoformat() in page
    token = re.search('name="csrf_token" value="([^"]+)"', page)
    action = re.search(r'action="([^"]*/district/requests/[^"]+)"', page)
    assert token
    assert action
    assert browser.post(action[1], data={"csrf_token": token[1]}).status_code == 303
    assert "guardian@home.example" not in browser.get("/district/requests").text
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT sealed FROM guardian_request")).scalar_one() is None
        acts = set(connection.execute(sa.text("SELECT act FROM log_entry")).scalars())
    assert {"request open", "requests see", "request answer"} <= acts


def test_what_was_written_is_encrypted_and_goes_after_90_days(
    client: FlaskClient, house: House, district: District, clock: FakeClock
) -> None:
    ask(client, "north")
    with house.database.tenant(district.id) as connection:
        sealed = bytes(connection.execute(sa.text("SELECT sealed FROM guardian_request")).scalar_one())
    assert b"Amina" not in sealed
    clock.pass_s(91 * 86_400)
    house.sweep()
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT sealed FROM guardian_request")).scalar_one() is None


@pytest.mark.parametrize("text", ["", "   ", "x" * 4_001])
def test_a_text_that_is_none_or_too_long_is_refused_in_words(
    client: FlaskClient, district: District, text: str
) -> None:
    assert ask(client, "north", text).status_code in (400, 422)


@pytest.mark.parametrize("role", [StaffRole.TEACHER, StaffRole.SCHOOL_ADMIN, StaffRole.EVALUATOR])
def test_a_role_that_may_not_reads_no_case(app: Flask, house: House, district: District, role: StaffRole) -> None:
    assert signed_in(app, house, role, district).get("/district/requests").status_code == 403


def test_one_address_that_asks_without_end_is_told_to_wait(client: FlaskClient, district: District) -> None:
    statuses = [ask(client, "north", f"Question {number}").status_code for number in range(62)]
    assert statuses == [200] * 60 + [429] * 2


def test_a_page_asked_for_without_end_is_told_to_wait(
    monkeypatch: pytest.MonkeyPatch, house: House, district: District
) -> None:
    monkeypatch.setattr("lti_server.web.limits.PER_ADDRESS", "5 per hour")
    client = create_app(house).test_client()
    assert [client.get("/privacy/request").status_code for _ in range(7)] == [200] * 5 + [429] * 2


def test_the_door_speaks_french(client: FlaskClient, district: District) -> None:
    assert "Code du district scolaire" in client.get("/privacy/request?lang=fr").text
