"""Registering by an account that is one's own and no school's: who may, what is asked before, and what is kept."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.registering import Desk
from lti_server.app import House
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import PersonId
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy.rights import Asked
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.own_accounts import (
    EMAIL,
    GRACE,
    answered,
    comes,
    desk,
    enabled,
    facebook,
    google,
    house,
    registers,
    rows,
)
from tests.functional.sign_in.own_door import peer, post, registered
from tests.peers.facebook import Facebook
from tests.peers.openid import OpenIdPeer
from tests.peers.smtp import MailServer

__all__ = ["desk", "facebook", "google", "house", "peer"]
JSON = {"Accept": "application/problem+json"}
FORM = "ciphertext IS NULL AS hashed"


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def names(house: House, desk: Desk) -> list[tuple[str, bool]]:
    """What is kept of everybody, and whether as a hash alone."""
    return [(one.field, one.hashed) for one in rows(house, desk, f"SELECT field, {FORM} FROM person_field ORDER BY 1")]


def people(house: House, desk: Desk) -> int:
    return int(rows(house, desk, "SELECT count(*) FROM person")[0][0])


def test_somebody_registers_with_google_and_signs_in_again_from_the_first_page(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    assert registers(browser, google, 30).headers["Location"] == "/learn"
    assert browser.get("/learn").status_code == 200
    other = app.test_client()
    assert "/auth/google/login" in other.get("/signin").text
    assert comes(other, google).headers["Location"] == "/learn"
    assert people(house, desk) == 1


@pytest.mark.parametrize(("years", "hashed"), [(12, True), (13, False)])
def test_of_google_the_address_is_kept_and_the_name_that_was_chosen_and_of_a_child_no_address(
    years: int, hashed: bool, browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    registers(browser, google, years)
    assert names(house, desk) == [("email", hashed), ("nickname", False)]
    (age,) = rows(house, desk, "SELECT source, recorded_by FROM person_age")
    assert (age.source, age.recorded_by.partition(":")[0]) == ("self", "person")
    comes(app.test_client(), google)  # again, and nothing of it is lost
    assert names(house, desk) == [("email", hashed), ("nickname", False)]
    exported = export(house, desk)
    assert "Cool Coder" in exported
    assert "Canary" not in exported.replace(EMAIL, "")


def export(house: House, desk: Desk) -> str:
    (person,) = rows(house, desk, "SELECT id FROM person")
    asked = Asked(by="operator", act="person export", reason="Asked.")
    return json.dumps(house.rights.rights.export(desk.district.id, person.id, asked))


def test_an_address_that_google_has_not_proven_is_not_kept(
    browser: FlaskClient, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    google.knows("ada", email=EMAIL, email_verified=False)
    registers(browser, google, 30)
    assert names(house, desk) == [("nickname", False)]


def test_a_guardians_no_holds_for_an_address_that_google_has_not_proven(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer, address=EMAIL)
    ((person,),) = rows(house, desk, "SELECT id FROM person")
    house.rights.blocks.of_person(desk.district.id, PersonId(person), by="test")
    google.knows("another", email=EMAIL, email_verified=False)
    answer = registers(app.test_client(), google, 11, "another")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lessons")
    assert len(rows(house, desk, "SELECT 1 FROM person")) == 1


def test_nobody_is_made_who_has_not_said_before_what_is_asked(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    assert reason(comes(browser, google, **JSON)) == "not-registered"
    way = "/auth/google/login?district=public-us"
    for one in (way, f"{way}&register=yes"):
        assert reason(comes(app.test_client(), google, way=one, **JSON)) == "not-registered"
    half = app.test_client()
    post(half, "/signup", years="30")
    assert reason(comes(half, google, way=f"{way}&register=yes", **JSON)) == "not-registered"
    page = comes(browser, google)
    assert (page.status_code, "/signup" in page.text) == (403, True)
    assert people(house, desk) == 0


def test_whoever_comes_next_to_a_shared_computer_is_not_registered_with_anothers_answers(
    browser: FlaskClient, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    answered(browser, 30)
    google.knows("bea")
    assert reason(comes(browser, google, "bea", **JSON)) == "not-registered"
    assert people(house, desk) == 0


def test_the_answers_are_gone_once_somebody_is_in(
    browser: FlaskClient, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    registers(browser, google, 30)
    google.knows("bea")
    way = "/auth/google/login?district=public-us&register=yes"
    assert reason(comes(browser, google, "bea", way=way, **JSON)) == "not-registered"


def test_answers_for_one_provider_or_country_count_for_no_other(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, facebook: Facebook, house: House, desk: Desk
) -> None:
    enabled(house, "FR", "google")
    post(browser, "/signup?country=US", years="30")
    post(browser, "/signup/with/google?country=US", name="Cool Coder")
    for at, who, way in (
        (google, "ada", "/auth/google/login?district=public-fr&register=yes"),
        (facebook, GRACE, "/auth/facebook/login?district=public-us&register=yes"),
    ):
        assert reason(comes(browser, at, who, way=way, **JSON)) == "not-registered"
    assert people(house, desk) == 0


def test_after_the_desk_is_closed_nobody_new_comes_and_who_is_here_does(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    registers(browser, google, 30)
    late = app.test_client()
    answered(late, 30)
    OwnDoorHouse(house).registering.disable("US", by="test")
    google.knows("bea")
    way = "/auth/google/login?district=public-us&register=yes"
    assert reason(comes(late, google, "bea", way=way, **JSON)) == "not-open"
    assert comes(app.test_client(), google).headers["Location"] == "/learn"


def test_in_france_whoever_is_under_15_registers_with_no_account_either(
    browser: FlaskClient, google: OpenIdPeer, house: House
) -> None:
    desk = enabled(house, "FR", "google")
    post(browser, "/signup", years="14")
    assert "You cannot register by yourself" in browser.get("/signup/with/google").text
    assert browser.post("/signup/with/google", data={"name": "Cool Coder"}).status_code == 403
    assert people(house, desk) == 0


def test_a_school_account_is_its_schools_wherever_somebody_registers(
    browser: FlaskClient, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    google.knows("ada", hd="school.example", email=EMAIL, email_verified=True)
    answered(browser, 30)
    way = "/auth/google/login?district=public-us&register=yes"
    assert reason(comes(browser, google, way=way, **JSON)) == "tenant-not-connected"
    school = world.district(house)
    SignInHouse(house).connections.connect(school.id, "google", {"domain": "school.example"}, by="test")
    assert comes(browser, google, way=way).headers["Location"] == "/learn"
    with house.database.tenant(school.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one() == 1
    assert people(house, desk) == 0


def test_whoever_has_an_account_by_e_mail_is_told_so_and_is_not_let_in_by_the_address(
    browser: FlaskClient, app: Flask, peer: MailServer, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    registered(browser, peer, 30, EMAIL)
    other = app.test_client()
    answered(other, 30)
    way = "/auth/google/login?district=public-us&register=yes"
    assert reason(comes(other, google, way=way, **JSON)) == "address-known"
    google.knows("ada", email=EMAIL, email_verified=False)  # somebody else's word: it says nothing of anybody
    assert registers(app.test_client(), google, 30).headers["Location"] == "/learn"
    assert people(house, desk) == 2


def test_where_two_countries_are_open_somebody_is_found_where_they_registered(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    french = enabled(house, "FR", "google")
    post(browser, "/signup?country=FR", years="30")
    post(browser, "/signup/with/google?country=FR", name="Cool Coder")
    way = "/auth/google/login?district=public-fr&register=yes"
    assert comes(browser, google, way=way).headers["Location"] == "/learn"
    assert comes(app.test_client(), google).headers["Location"] == "/learn"
    assert (people(house, desk), people(house, french)) == (0, 1)


def test_nobody_comes_by_an_own_account_where_the_operator_has_not_said_so(
    browser: FlaskClient, google: OpenIdPeer, house: House
) -> None:
    enabled(house, "US", "facebook")
    assert "/auth/google" not in browser.get("/signin").text
    assert reason(comes(browser, google, **JSON)) == "no-tenant"
    post(browser, "/signup", years="30")
    assert "/signup/with/google" not in browser.get("/signup/address").text
    assert browser.get("/signup/with/google").status_code == 303


def test_with_two_countries_open_whoever_is_known_in_none_is_told_to_register(
    browser: FlaskClient, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    enabled(house, "FR", "google")
    assert reason(comes(browser, google, **JSON)) == "not-registered"


def test_answers_that_were_brought_together_by_hand_register_no_child_in_france(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    french, other = enabled(house, "FR", "google"), app.test_client()
    post(other, "/signup?country=FR", years="30")
    post(other, "/signup/with/google?country=FR", name="Cool Coder")
    post(browser, "/signup?country=FR", years="14")
    name = other.get_cookie("lti_signup_name")
    assert name
    browser.set_cookie("lti_signup_name", name.value)
    way = "/auth/google/login?district=public-fr&register=yes"
    assert reason(comes(browser, google, way=way, **JSON)) == "not-alone"
    assert people(house, french) == 0


def test_at_a_schools_own_link_an_account_of_ones_own_leads_nowhere(
    browser: FlaskClient, app: Flask, google: OpenIdPeer, house: House, desk: Desk
) -> None:
    registers(browser, google, 30)
    SignInHouse(house).connections.connect(world.district(house).id, "google", {"domain": "a.example"}, by="test")
    way = "/auth/google/login?district=north"
    assert reason(comes(app.test_client(), google, way=way, **JSON)) == "no-tenant"


# Facebook, for adults.


def test_an_adult_registers_with_facebook(
    browser: FlaskClient, app: Flask, facebook: Facebook, house: House, desk: Desk
) -> None:
    assert registers(browser, facebook, 18, GRACE, provider="facebook").headers["Location"] == "/learn"
    assert names(house, desk) == [("nickname", False)]
    assert comes(app.test_client(), facebook, GRACE, provider="facebook").headers["Location"] == "/learn"


@pytest.mark.parametrize("years", [11, 13, 17])
def test_nobody_under_18_is_offered_facebook_or_let_in_by_it(
    years: int, browser: FlaskClient, facebook: Facebook, house: House, desk: Desk
) -> None:
    post(browser, "/signup", years=str(years))
    page = browser.get("/signup/address").text
    assert ("/signup/with/google" in page, "/signup/with/facebook" in page) == (True, False)
    assert browser.get("/signup/with/facebook").status_code == 303
    assert people(house, desk) == 0


def test_answers_that_were_brought_together_by_hand_let_nobody_under_18_in(
    browser: FlaskClient, app: Flask, facebook: Facebook, house: House, desk: Desk
) -> None:
    grown = app.test_client()
    answered(grown, 40, "facebook")
    name = grown.get_cookie("lti_signup_name")
    assert name
    post(browser, "/signup", years="12")
    browser.set_cookie("lti_signup_name", name.value)
    way = "/auth/facebook/login?district=public-us&register=yes"
    assert reason(comes(browser, facebook, GRACE, provider="facebook", way=way, **JSON)) == "not-adult"
    assert people(house, desk) == 0


def test_whoever_turns_out_to_be_younger_comes_in_by_facebook_no_more(
    browser: FlaskClient, app: Flask, facebook: Facebook, house: House, desk: Desk
) -> None:
    registers(browser, facebook, 18, GRACE, provider="facebook")
    (person,) = rows(house, desk, "SELECT id FROM person")
    asked = Asked(by="operator", act="person correct", reason="The family asked.")
    house.rights.correct.put(desk.district.id, person.id, "age", "17", asked)
    assert browser.get("/learn").status_code == 303
    assert reason(comes(app.test_client(), facebook, GRACE, provider="facebook", **JSON)) == "not-adult"


# The operator.


def test_the_operator_opens_it_with_an_application_and_a_provider_that_has_such_accounts(house: House) -> None:
    registering = OwnDoorHouse(house).registering
    client = {"issuer": "https://id.example", "client_id": "here", "client_secret": "a secret of this client"}
    SignInHouse(house).connections.application("oidc", client, by="test")
    for provider, error in (("oidc", InvalidInput), ("nothing", NotFound)):
        with pytest.raises(error):
            registering.enable("US", by="test", providers=[provider])
    assert registering.every() == []
    assert registering.enable("US", by="test").providers == {"email"}
    assert registering.enable("US", by="test", providers=["google"]).providers == {"email", "google"}
    again = registering.enable("US", by="test", providers=["google"])
    assert again.providers == {"email", "google"}
    assert len(rows(house, again, "SELECT 1 FROM contract")) == 2
    assert len(rows(house, again, "SELECT 1 FROM grants WHERE provider = 'google'")) == 1


def test_the_notice_says_by_which_accounts_people_come(browser: FlaskClient, house: House, desk: Desk) -> None:
    assert "Facebook, Google" in browser.get("/privacy").text


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "4111 1111 1111 1111"])
def test_a_name_that_is_none_is_refused_and_leads_nowhere(name: str, browser: FlaskClient, desk: Desk) -> None:
    page = answered(browser, 30, name=name)
    assert (page.status_code, "/auth/google/login" in page.text) == (422, False)
