"""Whoever registered alone changes their name and deletes everything by themselves; who has a school asks it (A-32)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.registering import Desk
from lti_server.app import House
from lti_server.privacy import log
from tests.functional.own_page import enter, ticket_of
from tests.functional.sign_in.own_door import ADA, code_in, count, desk, house, peer, post, registered
from tests.peers.smtp import MailServer

__all__ = ["desk", "house", "peer"]


def at_home(browser: FlaskClient, peer: MailServer) -> None:
    """Somebody has registered, and their own page is open."""
    registered(browser, peer, 12)
    assert enter(browser, ticket_of(browser.get("/learn").text)).status_code == 303


def test_whoever_registered_alone_chooses_another_name_and_keeps_it(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    at_home(browser, peer)
    assert "/me/name" in browser.get("/me").text
    assert post(browser, "/me/name", name="Grand\u202e Codeur").status_code == 303
    assert "Grand Codeur" in browser.get("/me").text
    again = app.test_client()
    post(again, "/signin/email", address=ADA)
    post(again, "/signin/code", code=code_in(peer))
    assert enter(again, ticket_of(again.get("/learn").text)).status_code == 303
    assert "Grand Codeur" in again.get("/me").text


@pytest.mark.parametrize("name", ["", "x" * 61, "4111 1111 1111 1111"])
def test_what_is_no_name_changes_nothing(name: str, browser: FlaskClient, peer: MailServer, desk: Desk) -> None:
    at_home(browser, peer)
    assert post(browser, "/me/name", name=name).status_code == 422
    assert "Cool Coder" in browser.get("/me").text


def test_whoever_registered_alone_deletes_everything_and_may_begin_anew(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    at_home(browser, peer)
    unsure = post(browser, "/me/delete")
    assert (unsure.status_code, count(house, desk, "person_field")) == (422, 2)
    done = post(browser, "/me/delete", sure="yes")
    assert (done.status_code, "Everything is deleted" in done.text) == (200, True)
    assert (count(house, desk, "person_field"), count(house, desk, "person WHERE wrapped_key IS NOT NULL")) == (0, 0)
    assert (browser.get("/learn").status_code, browser.get("/me").status_code) == (303, 401)
    with house.database.tenant(desk.district.id) as connection:
        (entry,) = connection.execute(
            sa.text("SELECT actor, object_id, payload FROM log_entry WHERE act = 'person erase'")
        ).all()
    assert entry.actor == f"person:{entry.object_id}"
    assert log.payload_of(desk.district.keys, bytes(entry.payload))
    registered(app.test_client(), peer, 12)
    assert count(house, desk, "person WHERE wrapped_key IS NOT NULL") == 1
