"""1. A platform sends a field that nobody foresaw, and a birth date within notes: neither comes to rest anywhere."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.lti.claims import LTI
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.rights import Asked
from tests import world
from tests.functional.adversarial.stolen_dump import stolen
from tests.peers.bare_platform import Platform

PLACE, BORN = "Villeneuve-canary-7731", "2014-03-05"
NEW = {
    "student": {"demographics": {"birthPlace": PLACE, "birthDate": BORN}},
    "notes": f"Born {BORN} in {PLACE}.",
    "birthdate": BORN,
    "https://sis.example/claim/profile": {"notes": [f"{PLACE}, {BORN}"]},
    LTI + "ext": {"demographics": {"birthPlace": PLACE}},
}


def test_neither_a_new_nested_field_nor_a_birth_date_in_notes_is_anywhere(
    client: FlaskClient, platform: Platform, house: House, district: District, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    assert world.launch(client, platform, house, **NEW).status_code == 303
    refused = world.launch(client, platform, house, **{**NEW, LTI + "version": "11.3"})
    assert refused.status_code >= 400
    dump = stolen(house.database.url)
    printed = capfd.readouterr()
    everywhere = {
        "database and queue": dump, "log": caplog.text, "streams": printed.out + printed.err, "page": refused.text,
        "export": json.dumps(_export(house, district), default=str),
    }  # fmt: skip
    for canary in (PLACE, BORN):
        assert not dump.holds(canary)
        assert not [name for name, text in everywhere.items() if isinstance(text, str) and canary in text]
    assert dump.holds("pupil") is not None


def test_what_was_refused_is_counted_by_name_and_without_a_value(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house, **NEW)
    with house.database.tenant(district.id) as connection:
        sealed = connection.execute(sa.text("SELECT payload FROM log_entry WHERE act = 'launch'")).scalar_one()
    said = log.payload_of(district.keys, bytes(sealed))
    assert isinstance(said["refused"], dict)
    assert said["refused"]["birthdate"] == 1
    assert BORN not in json.dumps(said)


def test_under_the_widest_contract_there_is_no_field_either(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    """Place of birth is an element that can be agreed upon, and still no field of a launch stands for it."""
    more = "  demographics.place_of_birth: {collect: true, store: true, retain_days: 9, sources: [school, student],"
    world.sign(house, district, world.contract(house, more=f"{more} purposes: [instruction]}}"))
    world.launch(client, platform, house, **NEW)
    assert not stolen(house.database.url).holds(PLACE)


def _export(house: House, district: District) -> dict[str, Any]:
    with house.database.tenant(district.id) as connection:
        person = connection.execute(sa.text("SELECT id FROM person")).scalar_one()
    asked = Asked(by="test", act="person export", reason="to look for what must not be there")
    return house.rights.rights.export(district.id, PersonId(person), asked)
