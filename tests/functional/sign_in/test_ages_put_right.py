"""An age that is put right or stated by a district, and what rights and merges do with ages."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.ages import Whose
from lti_server.accounts.merging import Way, Why
from lti_server.app import House
from lti_server.errors import ContractForbids, InvalidInput
from lti_server.ids import PersonId
from lti_server.privacy.crypto import PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.journal import JournalEntry, JournalKind
from lti_server.privacy.rights import Asked
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.aged import (
    ASKED,
    EMAIL,
    born,
    district,
    email,
    person,
    retained,
    sources,
    years,
)
from tests.functional.sign_in.conftest import Provider, sign_in

__all__ = ["district"]


# The district.


def test_the_district_puts_an_age_right_and_downwards_takes_the_address_away_at_once(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 15), email=EMAIL)
    sign_in(browser, provider)
    assert email(house, district) == "encrypted"
    house.rights.correct.put(district.id, person(house, district), "age", "10", ASKED)
    assert (years(house, district), email(house, district)) == (10, "hash alone")
    sign_in(browser, provider)  # the provider goes on saying what it said
    assert (years(house, district), email(house, district)) == (10, "hash alone")
    house.rights.correct.drop(district.id, person(house, district), "age", ASKED)
    assert years(house, district) == 15


@pytest.mark.parametrize("said", ["2014-05-06", "ten", "2", "121", ""])
def test_a_birth_date_is_no_correction(
    browser: FlaskClient, provider: Provider, house: House, district: District, said: str
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    with pytest.raises(InvalidInput):
        house.rights.correct.put(district.id, person(house, district), "age", said, ASKED)


def test_an_age_that_was_put_right_after_a_backup_is_unknown_until_it_is_put_right_again(
    browser: FlaskClient, provider: Provider, house: House, district: District, clock: FakeClock
) -> None:
    provider.knows("ada", birthdate=born(house, 15), email=EMAIL)
    sign_in(browser, provider)
    said = {"person": str(person(house, district)), "field": "age"}
    entry = JournalEntry(kind=JournalKind.CORRECTION, district_id=district.id, at=clock.now(), said=said)
    assert house.rights.correct.replay(entry)
    assert years(house, district) is None
    retained(house, district)
    assert email(house, district) == "hash alone"


def test_a_statement_wants_whole_years_and_a_contract_that_takes_ages(
    house: House, signing_in: SignInHouse, district: District
) -> None:
    for school, years_said in (("", "12"), ("Hill", "2014-05-06"), ("Hill", "2"), ("x" * 256, "12"), ("a\x00b", "12")):
        with pytest.raises(InvalidInput):
            signing_in.age_words.state(district.id, school, years_said, by="test")
    world.sign(house, district, world.contract(house))
    with pytest.raises(ContractForbids):
        signing_in.age_words.state(district.id, "Hill", "12", by="test")


# Rights.


def test_an_export_has_the_age_in_plain_and_an_erasure_takes_it(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 11))
    sign_in(browser, provider)
    asked = Asked(by="operator", act="person export", reason="The family asked.")
    given = house.rights.rights.export(district.id, person(house, district), asked)
    assert f"11 {house.clock.now().date().isoformat()}" in json.dumps(given)
    house.rights.erase(district.id, person(house, district), by="test")
    assert sources(house, district) == []


def test_what_came_by_a_revoked_connection_says_nothing_any_more(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 15))
    sign_in(browser, provider)
    with house.database.tenant(district.id) as connection:
        grant_id = connection.execute(sa.text("SELECT id FROM grants")).scalar_one()
    house.grants.withdraw.begin(district.id, grant_id, by="test", reason="over")
    assert house.grants.withdraw.finish(district.id, grant_id)
    assert years(house, district) is None


def test_of_two_who_were_found_to_be_one_the_lowest_age_counts_until_they_are_two_again(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    for sub, age in (("ada", 14), ("bea", 9)):
        provider.knows(sub, birthdate=born(house, age), email=EMAIL)
        sign_in(app.test_client(), provider, sub)
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(sa.text("SELECT person_id, grant_id FROM person_age ORDER BY recorded_at, id")).all()
        subjects = [
            Whose(keys=district.keys, person_id=PersonId(one), key=_key(connection, district, one))
            for one in (row.person_id for row in rows)
        ]
        today = house.clock.now().date()
        older, younger = sorted(subjects, key=lambda one: -(ages.years(connection, one, today) or 0))
        why = Why(by="test", way=Way.ADMINISTRATOR, reason="One child")
        merged = house.rights.merge.merge(connection, older.person_id, younger.person_id, why)
        assert ages.years(connection, older, today) == 9
    house.rights.merge.undo(district.id, merged, why)
    with house.database.tenant(district.id) as connection:
        assert [ages.years(connection, one, today) for one in (older, younger)] == [14, 9]


def _key(connection: Connection, district: District, person_id: UUID) -> PersonKey:
    wrapped = connection.execute(
        sa.text("SELECT wrapped_key FROM person WHERE id = :id"), {"id": person_id}
    ).scalar_one()
    return district.keys.person_key(PersonId(person_id), bytes(wrapped))
