"""What is done for a known address is done for an unknown one, too, so that no time tells them apart (A-10, A-64)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.accounts.registering import Desk
from lti_server.app import House
from tests.functional.sign_in.own_door import ADA, app, asked, browser, count, desk, house, peer, post, registered
from tests.peers.smtp import MailServer

__all__ = ["app", "browser", "desk", "house", "peer"]

NOBODY = "bob.nobody-77aa@example.org"


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """What the database is asked meanwhile, in order, and where each transaction ends; no value of any."""
    said: list[str] = []

    def executing(*given: object) -> None:
        said.append(str(given[2]))

    def committing(connection: object) -> None:
        said.append("COMMIT")

    sa.event.listen(house.database.engine, "before_cursor_execute", executing)
    sa.event.listen(house.database.engine, "commit", committing)
    try:
        yield said
    finally:
        sa.event.remove(house.database.engine, "before_cursor_execute", executing)
        sa.event.remove(house.database.engine, "commit", committing)


@pytest.mark.parametrize("page", ["/signin/email", "/recover", "/signup/address"])
@pytest.mark.parametrize("years", [9, 30])
def test_the_database_is_asked_the_same_and_one_letter_leaves_whoever_an_address_belongs_to(
    app: Flask, house: House, peer: MailServer, desk: Desk, page: str, years: int
) -> None:
    registered(app.test_client(), peer, years)
    done = []
    for address in (ADA, NOBODY):
        one, before = app.test_client(), len(peer.received)
        with statements(house) as said:
            answer = asked(one, years, address) if page == "/signup/address" else post(one, page, address=address)
        assert [str(letter["To"]) for letter in peer.received[before:]] == [address]
        done.append((said, answer.status_code, answer.headers["Location"]))
    assert "COMMIT" in done[0][0]
    assert done[0] == done[1]
    assert count(house, desk, "mail_message") == 0, "no letter waits for one of both alone"


def test_a_wrong_code_asks_the_database_the_same_whoever_it_was_sent_to(
    app: Flask, house: House, peer: MailServer, desk: Desk
) -> None:
    registered(app.test_client(), peer)
    done = []
    for address in (ADA, NOBODY):
        one = app.test_client()
        post(one, "/signin/email", address=address)
        with statements(house) as said:
            answers = [post(one, "/signin/code", code="0000 0000") for _ in range(6)]
        done.append((said, [answer.status_code for answer in answers]))
    assert "COMMIT" in done[0][0]
    assert done[0] == done[1]


def test_a_request_about_a_child_who_is_here_asks_the_database_the_same_as_about_nobody(
    app: Flask, house: House, peer: MailServer, desk: Desk
) -> None:
    registered(app.test_client(), peer)
    done = []
    for address in (ADA, NOBODY):
        one = app.test_client()
        with statements(house) as said:
            answer = post(one, "/privacy/request", district=desk.district.slug, text=f"What is kept of {address}?")
        done.append((said, answer.status_code))
    assert "COMMIT" in done[0][0]
    assert done[0] == done[1]
