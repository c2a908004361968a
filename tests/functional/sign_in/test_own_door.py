"""Registering oneself, signing in and getting back in by a code that one's e-mail address is sent."""

from __future__ import annotations

import dataclasses
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.registering import Desk
from lti_server.app import House, create_app
from lti_server.own_door_parts import OwnDoorHouse
from tests.clock import FakeClock
from tests.functional.sign_in.own_door import ADA, asked, code_in, count, desk, house, peer, post, registered
from tests.peers.smtp import MailServer

__all__ = ["desk", "house", "peer"]


def test_nobody_registers_unless_the_operator_says_so(browser: FlaskClient, house: House) -> None:
    for page in ("/signup", "/signin/email", "/recover"):
        assert "Nobody registers here" in browser.get(page).text
    assert "/signup" not in browser.get("/signin").text
    OwnDoorHouse(house).registering.enable("US", by="test")
    assert "/signup" in browser.get("/signin").text


def test_an_11_year_old_registers_and_signs_in_again(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    assert browser.get("/learn").status_code == 200
    other = app.test_client()
    assert post(other, "/signin/email", address=f" {ADA.upper()} ").headers["Location"] == "/signin/code"
    assert post(other, "/signin/code", code=code_in(peer)).headers["Location"] == "/learn"
    assert count(house, desk, "person") == 1
    with house.database.tenant(desk.district.id) as connection:
        found = connection.execute(sa.text("SELECT source, recorded_by FROM person_age")).one()
    assert (found.source, found.recorded_by.partition(":")[0]) == ("self", "person")


def test_the_page_does_not_say_whether_an_address_is_known(
    browser: FlaskClient, app: Flask, peer: MailServer, desk: Desk
) -> None:
    registered(browser, peer)
    for page in ("/signin/email", "/recover"):
        told = []
        for address in (ADA, "nobody@example.org"):
            one = app.test_client()
            answer = post(one, page, address=address)
            said = re.sub('value="[^"]*"', "", one.get("/signin/code").text)
            told.append((answer.status_code, answer.headers["Location"], said))
            assert peer.received[-1]["To"] == address
        assert told[0] == told[1]
        assert re.search(r"\d{4}", peer.received[-1].get_content()) is None


def test_whoever_registers_twice_gets_a_letter_that_says_so_and_is_the_same_person(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    other = app.test_client()
    answer = asked(other, 40, name="Somebody else")
    assert answer.headers["Location"] == "/signin/code"
    assert "You have an account already" in peer.received[-1].get_content()
    assert post(other, "/signin/code", code=code_in(peer)).headers["Location"] == "/learn"
    assert count(house, desk, "person") == 1


def test_a_code_is_good_once(browser: FlaskClient, peer: MailServer, desk: Desk) -> None:
    asked(browser)
    code = code_in(peer)
    kept = browser.get_cookie("lti_code")
    assert kept is not None
    assert post(browser, "/signin/code", code=code).status_code == 303
    browser.set_cookie("lti_code", kept.value)
    assert "This code is over" in post(browser, "/signin/code", code=code).text


def test_a_code_is_good_in_its_own_browser_alone(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    asked(browser)
    mine, other = code_in(peer), app.test_client()
    asked(other, address="eve@example.org")
    assert "This is not the code" in post(other, "/signin/code", code=mine).text
    assert count(house, desk, "person") == 0


def test_a_code_is_good_for_ten_minutes(browser: FlaskClient, peer: MailServer, clock: FakeClock, desk: Desk) -> None:
    asked(browser)
    clock.pass_s(601)
    assert "This code is over" in post(browser, "/signin/code", code=code_in(peer)).text


def test_after_five_wrong_codes_the_right_one_opens_nothing(
    browser: FlaskClient, peer: MailServer, house: House, desk: Desk
) -> None:
    asked(browser)
    code = code_in(peer)
    wrong = "".join(str(9 - int(one)) for one in code.replace(" ", ""))
    for _ in range(4):
        assert "This is not the code" in post(browser, "/signin/code", code=wrong).text
    assert "This code is over" in post(browser, "/signin/code", code=wrong).text
    assert "This code is over" in post(browser, "/signin/code", code=code).text
    assert count(house, desk, "person") == 0


def test_an_address_and_a_browser_are_asked_for_so_often_and_no_more(
    browser: FlaskClient, app: Flask, peer: MailServer, clock: FakeClock, desk: Desk
) -> None:
    for _ in range(5):
        assert post(app.test_client(), "/signin/email", address=ADA).status_code == 303
    assert post(app.test_client(), "/signin/email", address=ADA).status_code == 429
    for number in range(12):
        assert post(browser, "/recover", address=f"{number}@example.org").status_code == 303
    assert post(browser, "/recover", address="12@example.org").status_code == 429
    assert len(peer.received) == 17
    clock.pass_s(3601)
    assert post(app.test_client(), "/signin/email", address=ADA).status_code == 303


def test_another_country_takes_no_second_answer(browser: FlaskClient, house: House, desk: Desk) -> None:
    OwnDoorHouse(house).registering.enable("FR", by="test")
    post(browser, "/signup?country=FR", years="9")
    for country in ("US", "FR"):
        page, token = (
            f"/signup?country={country}",
            re.search('"csrf_token" value="([^"]+)"', browser.get("/signin").text),
        )
        there = f"/signup/address?country={country}"
        assert browser.get(page).headers["Location"] == there
        assert browser.post(page, data={"csrf_token": token[1] if token else "", "years": "40"}).status_code != 200
    assert "You cannot register by yourself" in browser.get("/signup/address?country=FR").text
    assert 'name="address"' in browser.get("/signup/address?country=US").text


@pytest.mark.parametrize("years", [3, 11, 14])
def test_in_france_whoever_is_under_15_does_not_register_alone(
    years: int, browser: FlaskClient, peer: MailServer, house: House
) -> None:
    desk = OwnDoorHouse(house).registering.enable("FR", by="test")
    assert post(browser, "/signup", years=str(years)).headers["Location"] == "/signup/address?country=FR"
    assert "You cannot register by yourself" in browser.get("/signup/address").text
    again = browser.get("/signup")  # the answer stands: another one is not asked for
    assert again.headers["Location"] == "/signup/address?country=FR"
    assert browser.post("/signup/address", data={"address": ADA, "name": "x"}).status_code == 403
    assert (count(house, desk, "email_code"), peer.received) == (0, [])


def test_in_france_somebody_of_15_registers(browser: FlaskClient, peer: MailServer, house: House) -> None:
    OwnDoorHouse(house).registering.enable("FR", by="test")
    registered(browser, peer, years=15)


@pytest.mark.parametrize("typed", ["", "ada", "ada@", "a@b, c@d.example", "ada@example.org\nBcc: eve@x.example"])
def test_what_is_no_address_is_refused_and_not_repeated(
    typed: str, browser: FlaskClient, peer: MailServer, desk: Desk
) -> None:
    answer = post(browser, "/signin/email", address=typed)
    assert (answer.status_code, peer.received) == (422, [])
    assert "Type one e-mail address" in answer.text
    assert typed == "" or typed not in answer.text


def test_after_the_desk_is_closed_nobody_new_comes_and_who_is_here_does(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    late = app.test_client()
    asked(late, address="late@example.org")
    code = code_in(peer)
    OwnDoorHouse(house).registering.disable("US", by="test")
    assert "Nobody registers here" in post(late, "/signin/code", code=code).text
    assert "Nobody registers here" in app.test_client().get("/signup").text
    other = app.test_client()
    post(other, "/signin/email", address=ADA)
    assert post(other, "/signin/code", code=code_in(peer)).headers["Location"] == "/learn"
    assert count(house, desk, "person") == 1


def test_other_sessions_end_where_that_is_asked_for_alone(
    browser: FlaskClient, app: Flask, peer: MailServer, desk: Desk
) -> None:
    registered(browser, peer)
    for others, stays in (("", 200), ("end", 303)):
        one = app.test_client()
        post(one, "/recover", address=ADA)
        assert post(one, "/signin/code", code=code_in(peer), others=others).headers["Location"] == "/learn"
        assert (one.get("/learn").status_code, browser.get("/learn").status_code) == (200, stays)


def test_a_withdrawn_grant_lets_nobody_in(browser: FlaskClient, peer: MailServer, house: House, desk: Desk) -> None:
    registered(browser, peer)
    with house.database.tenant(desk.district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET state = 'suspended' WHERE provider = 'email'"))
    assert browser.get("/learn").status_code == 303
    assert "switched off" in post(browser, "/signin/email", address=ADA).text


def test_no_mail_server_no_way_by_mail(house: House, desk: Desk) -> None:
    without = dataclasses.replace(house, settings=dataclasses.replace(house.settings, smtp_url=None))
    assert "Nobody registers here" in create_app(without).test_client().get("/signin/email").text


@pytest.mark.parametrize(("name", "address"), [("", ADA), ("x" * 61, ADA), ("4111 1111 1111 1111", ADA), ("Ada", "")])
def test_whoever_registers_gives_a_name_of_their_choice_and_an_address_and_nothing_more(
    name: str, address: str, browser: FlaskClient, peer: MailServer, desk: Desk
) -> None:
    assert asked(browser, name=name, address=address).status_code == 422
    assert peer.received == []
