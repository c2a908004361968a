"""Searching people where a district has thousands: what the database does for it grows with the people, no faster."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.accounts import staff_access
from lti_server.app import House
from lti_server.ids import PersonId, SessionId, new_id
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import Platform

PEOPLE = 4_000


@pytest.fixture
def crowd(house: House, district: District, platform: Platform, client: FlaskClient) -> PersonId:
    """A district right after its first roster: one pupil who launched, and thousands more; answers with the last."""
    world.launch(client, platform, house)
    people, fields, person_id = [], [], PersonId(new_id())
    with house.database.tenant(district.id) as connection:
        person = connection.execute(sa.text("SELECT * FROM person")).one()._mapping
        row = connection.execute(sa.text("SELECT * FROM person_field WHERE field = 'name'")).one()._mapping
        for number in range(PEOPLE):
            person_id = PersonId(new_id())
            key, wrapped = district.keys.new_person_key(person_id)
            people.append({**person, "id": person_id, "wrapped_key": wrapped})
            for name, value in (("name", f"Pupil {number}"), ("given_name", "Pupil"), ("family_name", f"{number}")):
                sealed = key.seal("person_field", "ciphertext", f"{person_id}|{name}|{row['grant_id']}", value)
                fields.append({**row, "person_id": person_id, "field": name, "ciphertext": sealed})
        for table, rows in (("person", people), ("person_field", fields)):
            names = list(rows[0])
            into = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{one}' for one in names)})"
            connection.execute(sa.text(into), rows)
    return person_id


def loops(plan: dict[str, Any]) -> int:
    """How often the part of a plan is gone through that is gone through most often."""
    return max([int(plan["Actual Loops"]), *(loops(one) for one in plan.get("Plans", ()))])


def test_the_database_reads_each_table_once_though_it_has_counted_no_rows_yet(
    house: House, district: District, crowd: PersonId
) -> None:
    with house.database.tenant(district.id) as connection:
        values = {"names": list(staff_access.NAMES), "number": b"nobody's"}
        plan = sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {staff_access._NAMED.text}")
        (found,) = connection.execute(plan, values).scalar_one()
    assert loops(found["Plan"]) < 10, "not once for each person"


def test_one_of_thousands_is_found_by_name(house: House, district: District, crowd: PersonId) -> None:
    session_id, access = SessionId(new_id()), house.rights.access
    access.open(district.id, session_id, "request", "A guardian asks.")
    assert [one.id for one in access.search(district.id, session_id, f"pupil {PEOPLE - 1}") or ()] == [crowd]
    assert access.search(district.id, session_id, "pupil") is None
