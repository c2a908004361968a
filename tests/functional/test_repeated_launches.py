"""The short way of a launch that changes nothing opens no more than the whole way would."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House, create_app
from lti_server.lti import store
from lti_server.lti.messages import TakeMessage
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import MEMBERSHIP, Platform

pytestmark = pytest.mark.usefixtures("district")
WHOLE = "whole"


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which launches from here on went the whole way."""
    seen: list[str] = []
    whole_way = TakeMessage._whole_way

    def noted(self: TakeMessage, *given: object) -> str:
        seen.append(WHOLE)
        return whole_way(self, *given)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(TakeMessage, "_whole_way", noted)
    return seen


def count(house: House, district: District, table: str) -> int:
    with house.database.tenant(district.id) as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_the_second_launch_goes_the_short_way_and_leaves_a_session_and_a_log_entry(
    client: FlaskClient, platform: Platform, house: House, district: District, ways: list[str]
) -> None:
    world.launch(client, platform, house)
    before = {table: count(house, district, table) for table in ("session", "log_entry", "person", "membership")}
    assert world.launch(client, platform, house).status_code == 303
    assert ways == [WHOLE]
    after = {table: count(house, district, table) for table in before}
    assert after == {**before, "session": before["session"] + 1, "log_entry": before["log_entry"] + 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"lti_roles": [MEMBERSHIP + "Instructor"]},
        {"lti_roles": [MEMBERSHIP + "Mentor"]},
        {"name": "Another Name"},
        {"sub": "somebody-else"},
        {"lti_context": {"id": "another-course", "title": "Another"}},
        {"lti_resource_link": {"id": "another-link", "title": "Another"}},
        {"lti_custom": {"lesson_id": "turtle-garden"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_launch_that_says_anything_new_goes_the_whole_way(
    client: FlaskClient, platform: Platform, house: House, ways: list[str], changed: dict[str, object]
) -> None:
    world.launch(client, platform, house)
    assert world.launch(client, platform, house, **changed).status_code == 303
    assert ways == [WHOLE, WHOLE]


def test_another_process_finds_its_own_way_first(
    client: FlaskClient, platform: Platform, house: House, ways: list[str]
) -> None:
    world.launch(client, platform, house)
    other = create_app(house).test_client()
    assert world.launch(other, platform, house).status_code == 303
    assert world.launch(other, platform, house).status_code == 303
    assert ways == [WHOLE, WHOLE]


GONE = {
    "the identity ended": "UPDATE identity SET ended_at = now()",
    "the person was erased": "UPDATE person SET wrapped_key = NULL, key_destroyed_at = now()",
    "the membership ended": "UPDATE membership SET ended_at = now()",
    "the person was blocked": """
        WITH made AS (
          INSERT INTO block (id, district_id, provider, made_by, made_at)
          SELECT gen_random_uuid(), id, '', 'test', now() FROM district RETURNING id, district_id)
        INSERT INTO block_alias (district_id, hash, block_id, provider)
        SELECT i.district_id, i.subject_hash, made.id, '' FROM identity i, made""",
    "the connection was suspended": "UPDATE grants SET state = 'suspended'",
    "the connection was withdrawn": "UPDATE grants SET state = 'revoking', epoch = epoch + 1",
}


@pytest.mark.parametrize("what", GONE)
def test_what_goes_between_reading_and_opening_is_not_opened_by_the_short_way(
    client: FlaskClient, platform: Platform, house: House, district: District,
    ways: list[str], monkeypatch: pytest.MonkeyPatch, what: str,
) -> None:  # fmt: skip
    world.launch(client, platform, house)
    read = store.read

    def read_then_gone(*given: object) -> object:
        found = read(*given)  # type: ignore[arg-type]  # handed on as they came
        with house.database.tenant(district.id) as connection:
            connection.execute(sa.text(GONE[what]))
        return found

    monkeypatch.setattr(store, "read", read_then_gone)
    opened = count(house, district, "session")
    answer = world.launch(client, platform, house)
    assert ways == [WHOLE, WHOLE]
    # A person whose identity or membership has ended begins anew; the whole way says what is to become of the others.
    anew = what in ("the identity ended", "the membership ended")
    assert ("ticket=" in (answer.location or "")) == anew, answer.text
    assert count(house, district, "session") == opened + anew


def test_many_posts_of_one_repeated_launch_open_exactly_one_session(
    app: Flask, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house)
    begun = world.begin(client, platform)
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    cookies = "; ".join(f"{one.key}={one.value}" for one in (client._cookies or {}).values())

    def post(_: int) -> int:
        return (
            app.test_client(use_cookies=False).post("/lti/launch", data=form, headers={"Cookie": cookies}).status_code
        )

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(post, range(24)))
    assert sorted(answers) == [303, *[403] * 23]
    assert count(house, district, "session") == 2


@pytest.mark.parametrize("given", ["\ud800", "a\x00b", "", "x" * 300, "é", 7, None, ["a"]], ids=repr)
@pytest.mark.parametrize("claim", ["sub", "lti_context", "lti_resource_link"])
def test_an_id_that_is_none_is_refused_as_on_a_first_launch(
    client: FlaskClient, platform: Platform, house: House, claim: str, given: object
) -> None:
    """The short way looks these up before anything of the token is believed."""
    world.launch(client, platform, house)
    begun = world.begin(client, platform)
    value = given if claim == "sub" else {"id": given}
    claims = platform.claims(begun.nonce, house.clock.now(), **{claim: value})
    form = {"id_token": platform.sign(claims), "state": begun.state}
    answer = client.post("/lti/launch", data=form, headers={"Accept": "application/problem+json"})
    assert answer.status_code == 403, answer.text
    assert answer.json is not None
    assert answer.json["reason"] in ("malformed-claim", "claims-missing", "anonymous")
