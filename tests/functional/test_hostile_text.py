"""Text that no database and no page can take opens the lesson all the same, without it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.privacy.reading import of_own_data
from tests import world
from tests.peers.bare_platform import Platform

HALF = "\ud800"  # half of a surrogate pair: JSON can carry it, UTF-8 cannot


def kept(house: House, district: District) -> dict[str, str]:
    with house.database.tenant(district.id) as connection:
        (person_id,) = connection.execute(sa.text("SELECT id FROM person")).scalars()
        return dict(fields_of(connection, district.keys, [person_id], of_own_data())[person_id])


@pytest.mark.parametrize(
    ("claim", "value"),
    [("name", HALF), ("name", ["Amina"]), ("name", {"first": "Amina"}), ("name", 7), ("name", "A" * 10_001)],
    ids=["half a pair", "a list", "a mapping", "a number", "too long"],
)
def test_a_name_that_is_no_text_is_left_out(
    client: FlaskClient, platform: Platform, house: House, district: District, claim: str, value: Any
) -> None:
    assert world.launch(client, platform, house, **{claim: value}).status_code == 303
    assert kept(house, district) == {"given_name": "Amina", "family_name": "Example"}


def test_a_name_of_ten_thousand_characters_is_kept_without_nul_and_blanks_around_it(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    long = "n" * 9_990
    assert world.launch(client, platform, house, name=f"  \x00{long}\x00 ").status_code == 303
    assert kept(house, district)["name"] == long


def test_a_course_title_and_a_shared_id_of_half_a_pair_open_the_lesson(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    answer = world.launch(
        client, platform, house, lti_context={"id": "c", "title": f"5b{HALF}"}, lti_lis={"person_sourcedid": HALF}
    )
    assert answer.status_code == 303
    assert "local_id" not in kept(house, district)
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT name FROM section")).scalar_one() == "5b"
