"""Signing in with Facebook: for staff who have linked it, and for nobody else."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.connecting import WhyNot
from lti_server.accounts.model import Kind
from lti_server.app import House, build_house
from lti_server.errors import ContractForbids
from lti_server.privacy import upstream
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in import hostile
from tests.functional.sign_in.conftest import again, begin, local
from tests.functional.sign_in.facebook_staff import GRACE, district, facebook, house, somebody
from tests.functional.sign_in.test_disconnecting import leave, with_page
from tests.peers.facebook import VERSION, Facebook

JSON = {"Accept": "application/problem+json"}
__all__ = ["district", "facebook", "house"]


def come(browser: FlaskClient, facebook: Facebook, user_id: str = GRACE) -> TestResponse:
    return browser.get(local(facebook.back(begin(browser, "north", "facebook"), user_id)), headers=JSON)


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def people_of(house: House, district: District) -> int:
    with house.database.tenant(district.id) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one())


def test_staff_who_have_linked_it_come_in(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    assert come(browser, facebook).status_code == 303
    assert people_of(house, district) == 1


def test_a_pupil_does_not_come_in_by_it_even_where_it_is_linked(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.PUPIL)
    assert reason(come(browser, facebook)) == "adults-only"
    assert browser.get_cookie("lti_session") is None


def test_somebody_of_unknown_age_is_a_child_and_nothing_is_kept(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    assert reason(come(browser, facebook)) == "adults-only"
    assert people_of(house, district) == 0


def test_it_is_off_where_the_operator_says_nothing(settings: Settings, database_url: str, clock: FakeClock) -> None:
    found = build_house(settings, database_url, clock)
    try:
        assert "facebook" not in {one.name for one in found.registry.enabled()}
    finally:
        found.database.dispose()


def test_a_token_of_another_application_signs_nobody_in(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    facebook.speaks_of = "999"
    assert reason(come(browser, facebook)) == "declined"


def test_whoever_declines_there_is_told_so(browser: FlaskClient, facebook: Facebook, district: District) -> None:
    assert reason(come(browser, facebook, "nobody")) == "declined"


def test_an_e_mail_that_is_declined_keeps_nobody_out(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    facebook.declines = frozenset({"email"})
    assert come(browser, facebook).status_code == 303


def test_a_code_that_is_used_twice_is_a_page_and_so_are_facebooks_bad_days(
    app: Flask, browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    address = local(facebook.back(begin(browser, "north", "facebook"), GRACE))
    other = again(app, browser)
    assert browser.get(address).status_code == 303
    assert reason(other.get(address, headers=JSON)) == "declined"
    for switch, expected in (("throttled", "busy"), ("out", "provider-failed")):
        address = local(facebook.back(begin(browser, "north", "facebook"), GRACE))
        setattr(facebook, switch, True)
        assert reason(browser.get(address, headers=JSON)) == expected
        setattr(facebook, switch, False)


def test_a_contract_that_does_not_name_it_lets_no_district_connect_it(
    house: House, signing_in: SignInHouse, facebook: Facebook
) -> None:
    made = world.district(house)
    with pytest.raises(ContractForbids, match="for adults alone"):
        signing_in.connections.connect(made.id, "facebook", facebook.application(), by="test")
    with house.database.tenant(made.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM grants")).scalar_one() == 0
    (offer,) = [one for one in signing_in.connecting.offers(made.id) if one.name == "facebook"]
    assert offer.why_not is WhyNot.FOR_ADULTS


def test_under_a_newer_contract_that_does_not_name_it_nobody_comes_in(
    browser: FlaskClient, facebook: Facebook, house: House, district: District, clock: FakeClock
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    address = local(facebook.back(begin(browser, "north", "facebook"), GRACE))
    world.sign(house, district, world.contract(house))
    assert reason(browser.get(address, headers=JSON)) == "provider-not-allowed"


def test_the_operators_application_alone_lets_nobody_in(
    browser: FlaskClient, facebook: Facebook, signing_in: SignInHouse, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    signing_in.connections.application("facebook", facebook.application(), by="test")
    address = local(facebook.back(begin(browser, "", "facebook"), GRACE))
    assert reason(browser.get(address, headers=JSON)) == "no-tenant"


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_hostile_text_in_any_field_is_dropped_or_a_page_and_never_in_the_log(
    app: Flask, facebook: Facebook, house: House, district: District, text: str
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    for name in ("id", "name", "email"):
        facebook.knows(GRACE)
        facebook.accounts[GRACE][name] = text
        facebook.permissions[text] = {"email"}
        hostile.survives(lambda: come(app.test_client(), facebook), says=name)
    facebook.knows(GRACE)
    for name in ("access_token", "token_type", "expires_in", "error"):
        facebook.token_says = {name: text}
        hostile.survives(lambda: come(app.test_client(), facebook), says=name)
    facebook.token_says, facebook.speaks_of = {}, text
    hostile.survives(lambda: come(app.test_client(), facebook), says="app_id")
    hostile.answers_by_browser(app, "facebook", text)


def test_what_the_contract_does_not_allow_is_dropped_and_counted(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    facebook.knows(GRACE, email=hostile.MARK, birthday=hostile.MARK, picture={"data": {"url": hostile.MARK}})
    assert come(browser, facebook).status_code == 303
    assert hostile.refused_of(house, district) == {"email": 1}
    with house.database.tenant(district.id) as connection:
        assert set(connection.execute(sa.text("SELECT field FROM person_field")).scalars()) == {"name"}


def test_whoever_disconnects_it_takes_every_permission_away_there(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF, further="10226400000000009")
    assert come(browser, facebook).status_code == 303
    with house.database.tenant(district.id) as connection:
        mine = connection.execute(sa.text("SELECT id FROM identity WHERE sealed_token IS NOT NULL")).scalar_one()
    assert (GRACE in facebook.permissions, list(facebook.tokens.values())) == (True, [GRACE])
    assert leave(with_page(browser), mine).status_code == 200
    with house.database.tenant(district.id) as connection:
        waiting = connection.execute(sa.text("SELECT id FROM upstream_revocation WHERE state = 'waiting'")).scalar_one()
    house.grants.handlers()[upstream.TASK](district_id=str(district.id), token_id=str(waiting))
    assert ("DELETE", f"/{VERSION}/me/permissions") in facebook.asked
    assert (facebook.permissions, facebook.tokens) == ({}, {})
