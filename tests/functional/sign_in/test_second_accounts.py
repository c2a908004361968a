"""Somebody with two accounts at one provider: no older by the second one, and nobody else's once told apart."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.merging import Way, Why
from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.privacy.districts import District
from tests import world
from tests.functional.sign_in.aged import born, email, years
from tests.functional.sign_in.conftest import Provider, sign_in
from tests.functional.sign_in.two_doors import by_provider, linked, rows

ADDRESS = "ada@home.example"
AGES = """
  demographics.date_of_birth: {collect: true, store: false, sources: [school], purposes: [instruction]}
  student_contact.email: """


def signed(house: House, district: District) -> None:
    world.sign(house, district, world.contract(house, more=(AGES + world.SCHOOL)[1:]))


def test_nobody_makes_themself_older_by_linking_a_second_account_there(
    app: Flask, browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    signed(house, district)
    provider.knows("ada", birthdate=born(house, 9), email=ADDRESS)
    provider.knows("ada-of-16", birthdate=born(house, 16), email=ADDRESS)
    linked(by_provider(browser, provider, "ada"), provider, "ada-of-16")
    assert years(house, district) == 9
    for sub in ("ada-of-16", "ada", "ada-of-16"):
        assert sign_in(app.test_client(), provider, sub).status_code == 303
        assert (years(house, district), email(house, district)) == (9, "hash alone")


def test_a_second_account_that_says_less_is_believed(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    signed(house, district)
    provider.knows("ada", birthdate=born(house, 16), email=ADDRESS)
    provider.knows("ada-of-9", birthdate=born(house, 9))
    linked(by_provider(browser, provider, "ada"), provider, "ada-of-9")
    assert (years(house, district), email(house, district)) == (9, "hash alone")


def test_whoever_was_taken_for_somebody_else_is_out_once_they_are_told_apart(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    for sub in ("ada", "bea"):
        sign_in(app.test_client(), provider, sub)
    ada, bea = (
        PersonId(row.person_id)
        for row in rows(house, district, "SELECT person_id FROM identity ORDER BY created_at, id")
    )
    why = Why(by="test", way=Way.ADMINISTRATOR, reason="One child")
    with house.database.tenant(district.id) as connection:
        merged = house.rights.merge.merge(connection, ada, bea, why)
    own_pages = [by_provider(app.test_client(), provider, sub) for sub in ("ada", "bea")]
    assert [one.get("/me").status_code for one in own_pages] == [200, 200]
    house.rights.merge.undo(district.id, merged, why)
    assert [one.get("/me").status_code for one in own_pages] == [401, 401]
    assert [one.get("/learn", headers={"Accept": "application/json"}).status_code for one in own_pages] != [200, 200]
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM session WHERE ended_at IS NULL")).scalar_one() == 0
