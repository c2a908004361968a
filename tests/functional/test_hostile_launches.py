"""Each hostile launch by name: refused or accepted as the table says, never a 500."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.privacy.districts import District
from tests.functional.hostile_launches import CASES, OPENS, Case, Scene
from tests.peers.bare_platform import Platform
from tests.world import begin

JSON = {"Accept": "application/problem+json"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_launch_ends_as_the_table_says(
    case: Case, app: Flask, house: House, platform: Platform, district: District
) -> None:
    client = app.test_client()
    begun = begin(client, platform)

    def again() -> tuple[str, str]:
        other = begin(client, platform)
        return other.state, other.nonce

    sent = case.act(Scene(platform, begun.state, begun.nonce, house.clock.now(), again))
    browser = client if sent.cookies else app.test_client()
    answer = browser.post("/lti/launch", data=sent.form, headers=JSON)
    with house.database.tenant(district.id) as connection:
        roles = list(connection.execute(sa.text("SELECT role FROM session")).scalars())
    if case.outcome == OPENS:
        assert answer.status_code == 303, answer.text
        assert len(roles) == 1
        assert case.role in (None, roles[0])
    else:
        assert 400 <= answer.status_code < 500
        assert answer.mimetype == "application/problem+json"
        assert answer.json is not None
        assert case.outcome in (answer.json.get("reason"), answer.json["type"].rpartition("/")[2])
        assert roles == []
        assert "Amina" not in answer.text
