"""A lesson on another site gets what the disclose gate lets out to it, and each hand-off is an entry of the log."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.lessons import catalogue
from lti_server.privacy import log, schedule
from lti_server.privacy.districts import District
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked
from tests import world
from tests.peers.bare_platform import Platform

LESSON = """
id: elsewhere
title: {en: Elsewhere}
summary: {en: A lesson of someone else.}
url: https://lessons.example/play
activities:
  - {id: one, title: {en: One}}
"""
NAMED = 'subprocessors: [{name: "Lessons", hosts: [lessons.example]}]'
JSON = {"Accept": "application/problem+json"}


@pytest.fixture
def _lesson(house: House, district: District) -> None:
    with house.database.anyone() as connection:
        catalogue.add(connection, LESSON.encode(), house.clock.now(), taken=())
    world.sign(house, district, world.contract(house, more=NAMED))


def opened(client: FlaskClient, platform: Platform, house: House, lesson_id: str = "elsewhere") -> TestResponse:
    launched = world.launch(client, platform, house, lti_custom={"lesson_id": lesson_id})
    there = urlsplit(launched.location)
    (ticket,) = parse_qs(there.fragment or there.query)["ticket"]
    return client.post("/api/v1/launch-context", json={"ticket": ticket}, headers=JSON)


def read(client: FlaskClient, token: str) -> TestResponse:
    return client.get("/api/v1/progress", headers={"Authorization": f"Bearer {token}", **JSON})


def entries(house: House, district: District) -> list[tuple[Any, dict[str, object]]]:
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(sa.text("SELECT * FROM log_entry WHERE act = 'lesson site' ORDER BY id")).all()
    return [(row, log.payload_of(district.keys, bytes(row.payload))) for row in rows]


@pytest.mark.usefixtures("_lesson")
def test_a_hand_off_is_one_entry_with_party_purpose_and_what_the_site_may_read(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    answer = opened(client, platform, house)
    assert answer.status_code == 200
    assert len(answer.get_json()["pseudonym"]) == 32
    assert read(client, answer.get_json()["token"]).status_code == 200
    ((row, said),) = entries(house, district)
    assert (row.actor, row.decision, row.purpose, row.interest) == (
        "lesson:elsewhere", "allowed", "instruction", "service",
    )  # fmt: skip
    assert sorted(row.elements) == sorted([schedule.APP_ID, schedule.PERFORMANCE, schedule.WORK])
    assert row.object_id is not None
    assert said["to"] == "lesson_site"


@pytest.mark.usefixtures("_lesson")
def test_an_entry_names_nothing_that_the_contract_does_not_keep(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more=NAMED, without=(schedule.WORK,)))
    assert opened(client, platform, house).status_code == 200
    ((row, _),) = entries(house, district)
    assert sorted(row.elements) == sorted([schedule.APP_ID, schedule.PERFORMANCE])


@pytest.mark.usefixtures("_lesson")
def test_without_an_id_that_may_leave_there_is_no_pseudonym_and_no_lesson(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more=NAMED, without=(schedule.APP_ID,)))
    assert opened(client, platform, house).status_code == 403
    assert [(row.decision, said["reason"]) for row, said in entries(house, district)] == [("refused", "element")]


@pytest.mark.usefixtures("_lesson")
def test_whoever_restricts_lesson_sites_is_told_of_to_none_from_that_moment(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    token = opened(client, platform, house).get_json()["token"]
    with house.database.tenant(district.id) as connection:
        (person,) = connection.execute(sa.text("SELECT id FROM person")).scalars()
    asked = Asked(by="operator", act="person restrict", reason="The family asked.")
    house.rights.correct.restrict(district.id, PersonId(person), Recipients.LESSON_SITE, asked)
    assert read(client, token).status_code == 403
    assert opened(client, platform, house).status_code == 403
    assert [said["reason"] for row, said in entries(house, district) if row.decision == "refused"] == ["restricted"] * 2
    assert opened(client, platform, house, "message-in-bits").status_code == 200


def test_a_lesson_of_this_server_tells_nobody(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert opened(client, platform, house, "message-in-bits").status_code == 200
    assert entries(house, district) == []
