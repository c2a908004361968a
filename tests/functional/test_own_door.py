"""The door to `/me`: whom a ticket and a cookie let in, once, and what ends it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.own_door import LIFE, TICKET_LIFE
from lti_server.app import House
from lti_server.ids import GrantId
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use
from tests import world
from tests.clock import FakeClock
from tests.functional.own_page import as_owner, enter, launched, one, opened, post, ticket_of
from tests.functional.test_staff_access import only
from tests.peers.bare_platform import Platform

pytestmark = pytest.mark.usefixtures("district")


def test_a_ticket_opens_once(app: Flask, client: FlaskClient, platform: Platform, house: House) -> None:
    ticket = launched(client, platform, house)
    assert enter(client, ticket).status_code == 303
    thief, other = app.test_client(), opened(app.test_client(), platform, house, sub="pupil-2")
    assert enter(thief, ticket).status_code == enter(other, ticket).status_code == 401
    assert thief.get("/me").status_code == 401


def test_whoever_comes_again_from_the_same_page_goes_on_with_the_page_that_is_open(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    ticket = launched(client, platform, house)
    keys = set()
    for _ in range(2):
        assert enter(client, ticket).status_code == 303
        key = client.get_cookie("lti_me", path="/me")
        assert key is not None
        keys.add(key.value)
    assert len(keys) == 1
    post(client, "/me/close")
    assert enter(client, ticket).status_code == 401


def test_a_ticket_opens_the_page_of_whom_it_was_made_for_alone(
    app: Flask, client: FlaskClient, platform: Platform, house: House
) -> None:
    opened(client, platform, house)
    second = opened(app.test_client(), platform, house, sub="pupil-2", name="Boris Other", given_name="B")
    assert "Boris Other" in second.get("/me").text
    assert "Amina" not in second.get("/me").text
    assert "Boris" not in client.get("/me").text


def _changed(ticket: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(ticket))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(raw).decode()


FORGED: dict[str, Callable[[str], str]] = {
    "another code": lambda one: _changed(one, 0),
    "another district": lambda one: _changed(one, 32),
    "another session": lambda one: _changed(one, 48),
    "another nonce": lambda one: _changed(one, 64),
    "later": lambda one: _changed(one, 85),
    "cut": lambda one: one[:-4],
    "longer": lambda one: one + "AAAA",
    "none": lambda one: "",
    "no code": lambda one: "é" * 30,
    "huge": lambda one: "x" * 9_000,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_ticket_that_is_not_ours_opens_nothing(
    client: FlaskClient, platform: Platform, house: House, forge: Callable[[str], str]
) -> None:
    assert enter(client, forge(launched(client, platform, house))).status_code == 401
    assert client.get("/me").status_code == 401


def test_a_ticket_is_too_old_after_two_hours(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    ticket = launched(client, platform, house)
    clock.pass_s(TICKET_LIFE.total_seconds())
    assert enter(client, ticket).status_code == 401


def test_neither_the_lesson_s_token_nor_its_cookie_opens_the_page_and_its_cookie_opens_no_lesson(
    app: Flask, client: FlaskClient, platform: Platform, house: House
) -> None:
    """A lesson on another site holds such a token, and is to know nobody."""
    lesson = client.get(world.launch(client, platform, house).location)
    token = re.search(r'"token": ?"([^"]+)"', lesson.text)
    assert token
    assert enter(client, token[1]).status_code == 401
    lesson_cookie = next(one.value for one in (client._cookies or {}).values() if one.key == "lti_lesson")
    assert client.get("/me", headers={"Authorization": f"Bearer {token[1]}"}).status_code == 401
    stranger = app.test_client()
    stranger.set_cookie("lti_me", lesson_cookie, path="/me")
    assert stranger.get("/me").status_code == 401
    assert enter(client, ticket_of(lesson.text)).status_code == 303
    own = client.get_cookie("lti_me", path="/me")
    assert own is not None
    stranger.set_cookie("lti_lesson", own.value, path="/lessons/message-in-bits")
    assert stranger.get("/lessons/message-in-bits?from=course").status_code == 410


def test_a_lesson_on_another_site_is_given_no_ticket(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    """What such a lesson gets of a launch is the token's answer alone."""
    context = house.handoff.exchange(world.launch(client, platform, house).location.partition("ticket=")[2])
    assert context is not None
    address = "/api/v1/launch-context"
    answer = client.post(
        address, json={"ticket": world.launch(client, platform, house).location.partition("ticket=")[2]}
    )
    assert set(answer.get_json()) == {"token", "expires_at", "lesson_id", "activity_id", "api", "locale", "pseudonym"}


def test_another_site_s_page_cannot_open_somebody_s_page_in_a_browser(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    ticket = launched(client, platform, house)
    for site in ("cross-site", "same-site", "none"):
        assert enter(client, ticket, **{"Sec-Fetch-Site": site}).status_code == 403
    assert enter(client, ticket, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_the_cookie_is_for_this_page_alone_and_no_script_s(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    answer = enter(client, launched(client, platform, house))
    assert re.fullmatch(r"lti_me=[\w-]{20,}; HttpOnly; Path=/me; SameSite=Lax", answer.headers["Set-Cookie"])


@pytest.mark.parametrize("what", ["suspended", "revoked", "no sign-in", "blocked", "erased", "signed out"])
def test_whatever_ends_the_session_ends_the_page_at_once(
    what: str, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    opened(client, platform, house)
    unspent = launched(client, platform, house)
    person_id, grant = only(house, district), GrantId(one(house, district, "SELECT id FROM grants"))
    done: dict[str, Callable[[], object]] = {
        "suspended": lambda: house.grants.withdraw.suspend(district.id, grant, by="cli:op"),
        "revoked": lambda: house.grants.withdraw.begin(district.id, grant, by="cli:op", reason="over"),
        "no sign-in": lambda: house.grants.withdraw.begin(
            district.id, grant, by="cli:op", reason="over", uses=frozenset({Use.SIGN_IN})
        ),
        "blocked": lambda: house.rights.blocks.of_person(district.id, person_id, by="cli:op"),
        "erased": lambda: house.rights.erase(district.id, person_id, by="cli:op", keeps_grades=True),
        "signed out": lambda: _end_sessions(house, district),
    }
    assert client.get("/me").status_code == 200
    done[what]()
    refused = [client.get("/me"), enter(client, unspent), client.get("/me")]
    assert {answer.status_code for answer in refused} == {401}
    assert not [answer for answer in refused if "Amina" in answer.text]


def _end_sessions(house: House, district: District) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE session SET ended_at = :now"), {"now": house.clock.now()})


def test_the_page_closes_by_itself_after_half_an_hour(client: FlaskClient, platform: Platform, house: House) -> None:
    opened(client, platform, house)
    assert as_owner(house, "SELECT max(expires_at - created_at) FROM directory WHERE kind = 'own_page'") <= LIFE
    as_owner(house, "UPDATE directory SET expires_at = now() WHERE kind = 'own_page'")  # it is judged by that clock
    assert client.get("/me").status_code == 401


def test_whoever_closes_the_page_leaves_it_closed_and_the_lesson_open(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    opened(client, platform, house)
    key = client.get_cookie("lti_me", path="/me")
    assert key is not None
    assert "The page is closed." in post(client, "/me/close").text
    client.set_cookie("lti_me", key.value, path="/me")
    assert client.get("/me").status_code == 401
    assert client.get(f"{house.settings.base_url}/lessons/message-in-bits?from=course").status_code == 200
