"""Sessions of people who signed in: seen on one's own page, ended one by one or all at once, never used too long."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.live_sessions import Which
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.cli import session as session_command
from lti_server.ids import new_id
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.commands import typed
from tests.functional.own_page import as_owner, post, ticket_of
from tests.functional.sign_in.conftest import Provider, sign_in
from tests.functional.test_inspector import signed_in

SESSION = re.compile('name="session" value="([^"]+)"')


def cookie_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("lti_session")
    assert cookie is not None
    return str(cookie.value)


def in_by(app: Flask, provider: Provider, sub: str = "ada") -> FlaskClient:
    """A browser of its own in which somebody signed in, with their own page open."""
    browser = app.test_client()
    sign_in(browser, provider, sub)
    ticket = ticket_of(browser.get("/learn").text)
    assert browser.post("/me/open", data={"ticket": ticket}).status_code == 303
    return browser


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/learn").status_code == 200


def rows(house: House, district: District, statement: str) -> list[sa.Row[Any]]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement)))


def ends(house: House, district: District) -> list[tuple[str, dict[str, Any]]]:
    """Who ended how many, as the log has it."""
    found = rows(house, district, "SELECT actor, payload FROM log_entry WHERE act = 'session end' ORDER BY id")
    return [(row.actor, log.payload_of(district.keys, bytes(row.payload))) for row in found]


def test_my_own_page_shows_where_i_am_signed_in_and_which_one_it_is(
    app: Flask, provider: Provider, district: District
) -> None:
    first, second = in_by(app, provider), in_by(app, provider)
    page = second.get("/me").text
    assert len(SESSION.findall(page)) == 2
    assert page.count("<strong>this one</strong>") == 1
    assert "with OpenID Connect" in page
    assert "From which computer, browser or place you came is not kept." in page
    assert is_in(first)


def test_ending_one_ends_that_one_and_the_lessons_that_were_opened_from_it(
    app: Flask, provider: Provider, house: House, clock: FakeClock, district: District
) -> None:
    mine = in_by(app, provider)
    clock.pass_s(1)
    lost = in_by(app, provider)
    token = re.search('name="csrf_token" value="([^"]+)"', lost.get("/learn").text)
    assert token
    opened = lost.post("/learn/message-in-bits", data={"csrf_token": token[1]})
    assert 'id="launch-context"' in lost.get(opened.headers["Location"]).text
    (row,) = rows(house, district, "SELECT id FROM session WHERE lesson_id IS NULL ORDER BY created_at DESC LIMIT 1")
    assert post(mine, "/me/sessions/end", session=str(row.id)).status_code == 303
    assert (is_in(mine), is_in(lost)) == (True, False)
    assert lost.get("/me").status_code == 401
    assert rows(house, district, "SELECT 1 FROM lesson_token") == []
    (live,) = rows(house, district, "SELECT id FROM session WHERE ended_at IS NULL")
    assert live.id != row.id


def test_ending_all_others_leaves_the_one_that_asks(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    browsers = [in_by(app, provider) for _ in range(3)]
    assert post(browsers[1], "/me/sessions/end-others").status_code == 303
    assert [is_in(one) for one in browsers] == [False, True, False]
    ((actor, said),) = ends(house, district)
    assert actor.startswith("person:")
    assert said == {"provider": "", "sessions": 2}


def test_nobody_ends_the_sessions_of_somebody_else(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    ada = in_by(app, provider)
    (row,) = rows(house, district, "SELECT id FROM session")
    grace = in_by(app, provider, "grace")
    assert post(grace, "/me/sessions/end", session=str(row.id)).status_code == 303
    assert post(grace, "/me/sessions/end", session=str(new_id())).status_code == 303
    assert post(grace, "/me/sessions/end", session="no id").status_code == 404
    assert post(grace, "/me/sessions/end-others").status_code == 303
    assert (is_in(ada), is_in(grace)) == (True, True)
    assert [said["sessions"] for _, said in ends(house, district)] == [0, 0, 0]


def test_a_connection_of_the_console_ends_all_of_its_sessions_and_stays_in_force(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    people = [in_by(app, provider), in_by(app, provider, "grace")]
    (row,) = rows(house, district, "SELECT grant_id FROM provider_connection")
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    page = admin.get(f"/district/connections/{row.grant_id}").text
    assert "Signed in by this connection right now: 2." in page
    token = re.search('name="csrf_token" value="([^"]+)"', page)
    assert token
    path = f"/district/connections/{row.grant_id}/end-sessions"
    assert admin.post(path, data={"csrf_token": token[1]}).status_code == 303
    assert [is_in(one) for one in people] == [False, False]
    assert is_in(in_by(app, provider))
    assert admin.get("/district").status_code == 200


def test_the_command_lists_and_ends_by_person_provider_and_district(
    app: Flask, provider: Provider, house: House, clock: FakeClock, district: District,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(session_command, "open_house", lambda: house)

    def run(act: str, *more: str, fails: int = 0) -> dict[str, Any]:
        words = ["session", act, "--district", "north", *more]
        return typed(words, monkeypatch, capsys, fails=fails)

    ada = in_by(app, provider)
    clock.pass_s(1)
    grace = in_by(app, provider, "grace")
    clock.pass_s(1)
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    listed = run("list")["sessions"]
    assert [one["provider"] for one in listed] == [None, "oidc", "oidc"]
    assert [one["role"] for one in listed] == ["district_admin", "pupil", "pupil"]
    assert run("end", "--person", str(listed[1]["person_id"]))["ended"] == 1
    assert (is_in(ada), is_in(grace)) == (True, False)
    assert run("end", "--provider", "lti")["ended"] == 0
    assert run("end", "--provider", "oicd", fails=1)["status"] == 404
    assert run("end", "--person", "Ada", fails=1)["status"] == 422
    assert run("end", "--provider", "oidc")["ended"] == 1
    assert not is_in(ada)
    assert admin.get("/district").status_code == 200
    assert run("end")["ended"] == 1
    assert admin.get("/district").status_code != 200
    assert run("list") == {"sessions": []}


def test_sessions_of_another_district_go_on(
    app: Flask, provider: Provider, house: House, signing_in: SignInHouse, district: District
) -> None:
    other = world.district(house, slug="south")
    signing_in.connections.connect(other.id, "oidc", provider.config(), by="test")
    there = app.test_client()
    sign_in(there, provider, slug="south")
    here = in_by(app, provider)
    assert signing_in.live_sessions.end(district.id, Which(), by="test").sessions == 1
    assert (is_in(here), is_in(there)) == (False, True)


def test_a_session_that_nobody_used_for_an_hour_opens_nothing_and_is_not_listed(
    browser: FlaskClient, provider: Provider, signing_in: SignInHouse, clock: FakeClock, district: District
) -> None:
    sign_in(browser, provider)
    cookie = cookie_of(browser)
    clock.pass_s(59 * 60)
    assert signing_in.sessions.of(cookie) is not None
    clock.pass_s(59 * 60)
    assert signing_in.sessions.of(cookie) is not None
    clock.pass_s(60 * 60)
    assert signing_in.sessions.of(cookie) is None
    assert signing_in.live_sessions.every(district.id, Which()) == []


def test_a_session_of_somebody_whose_key_is_gone_opens_nothing(
    browser: FlaskClient, provider: Provider, house: House, signing_in: SignInHouse, district: District
) -> None:
    sign_in(browser, provider)
    cookie = cookie_of(browser)
    assert signing_in.sessions.of(cookie) is not None
    as_owner(house, "UPDATE person SET wrapped_key = NULL, key_destroyed_at = now()")
    assert signing_in.sessions.of(cookie) is None
