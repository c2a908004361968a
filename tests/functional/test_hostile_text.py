"""Text that no database and no page can take opens the lesson all the same, without it."""

from __future__ import annotations

import base64
import json
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


@pytest.mark.parametrize("given", [HALF, "a\x00b", "x" * 70_000, "é"], ids=["half a pair", "nul", "huge", "no ascii"])
def test_a_deployment_that_is_no_id_is_refused(
    client: FlaskClient, platform: Platform, house: House, district: District, given: str
) -> None:
    begun = world.begin(client, platform)
    claims = platform.claims(begun.nonce, house.clock.now(), lti_deployment_id=given)
    form = {"id_token": platform.sign(claims), "state": begun.state}
    answer = client.post("/lti/launch", data=form, headers={"Accept": "application/problem+json"})
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("kid", [HALF, "a\x00b", "é"], ids=["half a pair", "nul", "no ascii"])
def test_a_key_of_an_odd_name_is_refused(
    client: FlaskClient, platform: Platform, house: House, district: District, kid: str
) -> None:
    for _ in range(2):
        begun = world.begin(client, platform)
        token = platform.sign(platform.claims(begun.nonce, house.clock.now()))
        header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": kid}).encode()).decode().rstrip("=")
        form = {"id_token": ".".join([header, *token.split(".")[1:]]), "state": begun.state}
        answer = client.post("/lti/launch", data=form, headers={"Accept": "application/problem+json"})
        assert answer.status_code == 403, answer.text
        world.launch(client, platform, house)
