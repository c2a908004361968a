"""Leaving a provider on `/me`: its sessions end, the token is taken back there and destroyed here, and work stays."""

from __future__ import annotations

import re
import threading
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts import store as people
from lti_server.accounts.model import Subject
from lti_server.app import House
from lti_server.ids import new_id
from lti_server.privacy import log, upstream
from tests import world
from tests.functional.own_page import FORM, ticket_of
from tests.functional.sign_in.vendors import World, at, house, is_in, peers

__all__ = ["at", "house", "peers"]
ACCOUNT = re.compile('name="account" value="([^"]+)"')


def linked(at: World) -> UUID:
    """Ada comes by Google and by her district's own provider; the identity at Google."""
    at.comes_in("google")
    (row,) = at.rows(
        "SELECT i.id, i.person_id, p.kind, p.wrapped_key FROM identity i JOIN person p ON p.id = i.person_id"
    )
    own = at.peers["oidc"]
    subject = Subject(provider="oidc", issuer=own.issuer, client_id=own.client_id, subject="ada")
    (grant,) = at.rows("SELECT grant_id, epoch FROM provider_connection c JOIN grants g ON g.id = c.grant_id"
                       " WHERE c.provider = 'oidc'")  # fmt: skip
    with at.house.database.tenant(at.district.id) as connection:
        found = people.find(connection, [_hash(connection)], grant.grant_id)
        source = people.Source(grant_id=grant.grant_id, epoch=grant.epoch, run_id=None, at=at.house.clock.now())
        (known,) = found.values()
        people.add_identity(connection, at.district.keys, known, subject, source=source, keep_subject=True)
    return UUID(str(row.id))


def _hash(connection: sa.Connection) -> bytes:
    return bytes(connection.execute(sa.text("SELECT subject_hash FROM identity")).scalar_one())


def with_page(browser: FlaskClient) -> FlaskClient:
    assert browser.post("/me/open", data={"ticket": ticket_of(browser.get("/learn").text)}).status_code == 303
    return browser


def leave(browser: FlaskClient, account: UUID | str) -> TestResponse:
    token = FORM.search(browser.get("/me").text)
    assert token
    return browser.post("/me/accounts/disconnect", data={"csrf_token": token[1], "account": str(account)})


def give_back(at: World) -> None:
    """What the worker does with each job that waits."""
    for row in at.rows("SELECT id FROM upstream_revocation WHERE state = 'waiting'"):
        at.house.grants.handlers()[upstream.TASK](district_id=str(at.district.id), token_id=str(row.id))


def kept(at: World) -> list[bytes]:
    return [
        bytes(row.sealed_token) for row in at.rows("SELECT sealed_token FROM identity WHERE sealed_token IS NOT NULL")
    ]


def test_the_token_is_taken_back_there_and_destroyed_here_and_the_sessions_end(at: World) -> None:
    google, account = at.peers["google"], linked(at)
    by_google, by_own = at.comes_in("google"), with_page(at.comes_in("oidc"))
    assert len(kept(at)) == 2
    given = {token for token, sub in google.given.items() if sub == "ada"}
    assert str(account) in ACCOUNT.findall(by_own.get("/me").text)
    assert leave(by_own, account).status_code == 303
    assert (is_in(by_google), is_in(by_own)) == (False, True)
    assert len(kept(at)) == 1
    assert google.taken_back == []
    give_back(at)
    assert len(google.taken_back) == 1
    assert google.taken_back[0] in given
    assert google.taken_back[0] not in google.given
    (row,) = at.rows("SELECT state, sealed FROM upstream_revocation")
    assert tuple(row) == ("done", None)
    (entry,) = at.rows("SELECT actor, payload FROM log_entry WHERE act = 'account disconnect'")
    assert log.payload_of(at.district.keys, bytes(entry.payload)) == {
        "provider": "google", "sessions": 2, "token": "given back",
    }  # fmt: skip
    page = by_own.get("/me").text
    assert "not connected any more" in page
    assert len(at.rows("SELECT 1 FROM person WHERE wrapped_key IS NOT NULL")) == 1


def test_while_the_provider_is_out_the_token_waits_and_is_tried_again(at: World) -> None:
    google, account = at.peers["google"], linked(at)
    browser = with_page(at.comes_in("oidc"))
    google.out = True
    assert leave(browser, account).status_code == 303
    give_back(at)
    (row,) = at.rows("SELECT state, attempts, sealed IS NOT NULL AS waits FROM upstream_revocation")
    assert tuple(row) == ("waiting", 1, True)
    google.out = False
    give_back(at)
    assert len(google.taken_back) == 1


def test_whoever_leaves_the_account_that_they_came_by_is_out_and_is_told_so(at: World) -> None:
    account = linked(at)
    browser = with_page(at.comes_in("google"))
    answer = leave(browser, account)
    assert (answer.status_code, "you are signed out" in answer.text) == (200, True)
    assert not is_in(browser)
    assert browser.get("/me").status_code == 401
    again = at.comes_in("oidc")
    assert is_in(again)


def test_the_last_way_in_is_not_left(at: World) -> None:
    browser = with_page(at.comes_in("google"))
    assert ACCOUNT.findall(browser.get("/me").text) == []
    (row,) = at.rows("SELECT id FROM identity")
    assert leave(browser, row.id).status_code == 409
    assert is_in(browser)
    assert at.rows("SELECT 1 FROM upstream_revocation") == []


@pytest.mark.parametrize("what", ["UPDATE identity SET held_at = now() WHERE provider = 'oidc'", "suspended"])
def test_a_way_in_that_does_not_stand_is_no_other_way_in(at: World, what: str) -> None:
    account = linked(at)
    browser = with_page(at.comes_in("google"))
    if what == "suspended":
        (row,) = at.rows("SELECT grant_id FROM provider_connection WHERE provider = 'oidc'")
        at.house.grants.withdraw.suspend(at.district.id, row.grant_id, by="test", reason="a look")
    else:
        with at.house.database.tenant(at.district.id) as connection:
            connection.execute(sa.text(what))
    assert leave(browser, account).status_code == 409


def test_two_who_leave_at_once_do_not_leave_nothing(at: World, house: House) -> None:
    linked(at)
    ids = [row.id for row in at.rows("SELECT id FROM identity")]
    browsers = [with_page(at.comes_in(one)) for one in ("google", "oidc")]
    pages = [FORM.search(one.get("/me").text) for one in browsers]
    answers: list[int] = []

    def go(browser: FlaskClient, token: str, account: UUID) -> None:
        data = {"csrf_token": token, "account": str(account)}
        answers.append(browser.post("/me/accounts/disconnect", data=data).status_code)

    both = [
        threading.Thread(target=go, args=(browser, token[1], account))
        for browser, token, account in zip(browsers, pages, ids, strict=True)
        if token
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=20)
    assert 409 in answers or 401 in answers
    assert len(at.rows("SELECT 1 FROM identity WHERE ended_at IS NULL")) == 1


def test_nobody_leaves_an_account_of_somebody_else(at: World) -> None:
    account = linked(at)
    grace = with_page(at.comes_in("google", "grace"))
    for one in (account, new_id(), "no id"):
        assert leave(grace, one).status_code == 404
    assert len(at.rows("SELECT 1 FROM identity WHERE ended_at IS NULL")) == 3


# How long a token is kept


def test_a_token_is_under_its_owner_s_key_and_gone_when_it_is_over(at: World) -> None:
    at.comes_in("google")
    (token,) = at.peers["google"].given
    (sealed,) = kept(at)
    assert token.encode() not in sealed
    at.clock.pass_s(3_599)
    at.house.sweep()
    assert len(kept(at)) == 1
    at.clock.pass_s(1)
    at.house.sweep()
    assert kept(at) == []


def test_a_new_sign_in_takes_the_place_of_the_token_before(at: World) -> None:
    at.comes_in("google")
    at.comes_in("google")
    assert len(kept(at)) == 1


def test_where_a_provider_takes_no_token_back_none_is_kept(at: World) -> None:
    at.peers["oidc"].revokes = False
    at.comes_in("oidc")
    assert kept(at) == []


def test_a_withdrawn_connection_an_erasure_and_a_purged_account_leave_no_token(at: World) -> None:
    at.comes_in("google")
    at.comes_in("google", "grace")
    at.comes_in("oidc", "lin")
    assert len(kept(at)) == 3
    assert at.risc("risc/event-type/account-purged", "grace").status_code == 202
    assert len(kept(at)) == 2
    (ada,) = at.rows("SELECT person_id FROM identity WHERE provider = 'google' AND ended_at IS NULL")
    at.house.rights.erase(at.district.id, ada.person_id, by="test")
    assert len(kept(at)) == 1
    (row,) = at.rows("SELECT grant_id FROM provider_connection WHERE provider = 'oidc'")
    at.house.grants.withdraw.begin(at.district.id, row.grant_id, by="test", reason="over")
    assert at.house.grants.withdraw.finish(at.district.id, row.grant_id)
    assert kept(at) == []


def test_tokens_that_google_has_revoked_are_destroyed_here(at: World) -> None:
    at.comes_in("google")
    assert at.risc("oauth/event-type/tokens-revoked").status_code == 202
    assert kept(at) == []
    assert len(at.rows("SELECT 1 FROM identity WHERE ended_at IS NULL")) == 1  # who signs in again is the same


def test_another_district_s_wall_holds_for_tokens_too(at: World, house: House) -> None:
    at.comes_in("google")
    other = world.district(house, slug="south")
    assert at.rows("SELECT 1 FROM identity", other) == []
