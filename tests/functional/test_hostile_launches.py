"""Each hostile launch by name: refused or accepted as the table says, never a 500."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.privacy.districts import District
from tests.functional.hostile_launches import CASES, OPENS, OPENS_WHERE_KNOWN, Case, Scene
from tests.peers.bare_platform import Platform
from tests.world import begin, launch

JSON = {"Accept": "application/problem+json"}


@pytest.mark.parametrize("known", [False, True], ids=["first", "repeated"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_launch_ends_as_the_table_says(
    case: Case, known: bool, app: Flask, house: House, platform: Platform, district: District
) -> None:
    client = app.test_client()
    if known:
        # From here on the same person may open the same link by the short way.
        assert launch(client, platform, house).status_code == 303
    begun = begin(client, platform)

    def again() -> tuple[str, str]:
        other = begin(client, platform)
        return other.state, other.nonce

    sent = case.act(Scene(platform, begun.state, begun.nonce, house.clock.now(), again))
    browser = client if sent.cookies else app.test_client()
    answer = browser.post("/lti/launch", data=sent.form, headers=JSON)
    with house.database.tenant(district.id) as connection:
        roles = list(connection.execute(sa.text("SELECT role FROM session ORDER BY created_at")).scalars())[known:]
    if case.outcome == OPENS or (known and case.name in OPENS_WHERE_KNOWN):
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
