"""How old somebody is: who says it, what counts, and what is kept of a child."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.intake import ContractIntake
from lti_server.accounts.model import Kind
from lti_server.app import House
from lti_server.errors import ContractForbids
from lti_server.privacy.ages import Age, AgeSource, Said
from lti_server.privacy.contracts import in_force
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.aged import (
    AGED,
    EMAIL,
    answer,
    born,
    district,
    email,
    person,
    retained,
    sources,
    whose,
    years,
)
from tests.functional.sign_in.conftest import Provider, sign_in
from tests.waiting import until

__all__ = ["district"]


def test_a_birth_date_becomes_whole_years_and_is_gone(
    browser: FlaskClient,
    provider: Provider,
    house: House,
    district: District,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day = born(house, 11)
    provider.knows("ada", birthdate=day, email=EMAIL)
    sign_in(browser, provider)
    assert (years(house, district), sources(house, district)) == (11, ["provider"])
    with psycopg.connect(database_url) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        dump = "".join(str(owner.execute(f'SELECT t::text FROM "{name}" t').fetchall()) for (name,) in tables)
    out = capsys.readouterr()
    assert day not in dump + out.out + out.err


@pytest.mark.parametrize(
    ("country", "age", "form"),
    [
        ("US", 12, "hash alone"),
        ("US", 13, "encrypted"),
        ("FR", 14, "hash alone"),
        ("FR", 15, "encrypted"),
        ("XX", 15, "hash alone"),
    ],
)
def test_a_childs_address_is_a_keyed_hash_alone_and_who_is_a_child_says_the_country(
    browser: FlaskClient, provider: Provider, house: House, district: District, country: str, age: int, form: str
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE district SET country = :country"), {"country": country})
    provider.knows("ada", birthdate=born(house, age), email=EMAIL)
    sign_in(browser, provider)
    assert email(house, district) == form


def test_an_unknown_age_is_that_of_a_child(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", email=EMAIL)
    sign_in(browser, provider)
    assert (years(house, district), email(house, district)) == (None, "hash alone")


def test_a_birthday_acts_with_the_next_sign_in(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    today = house.clock.now().date()
    provider.knows("ada", email=EMAIL)
    sign_in(app.test_client(), provider)
    for days, form in ((364, "hash alone"), (366, "encrypted")):
        with house.database.tenant(district.id) as connection:
            said = Said(AgeSource.PROVIDER, Age(12, today - timedelta(days=days)))
            grant_id = connection.execute(sa.text("SELECT id FROM grants")).scalar_one()
            ages.learn(
                connection, whose(district, connection), said, grant_id=grant_id, by="test", at=house.clock.now()
            )
        sign_in(app.test_client(), provider)
        assert email(house, district) == form


def test_what_a_provider_says_later_takes_the_place_of_what_it_said(
    app: Flask, provider: Provider, house: House, district: District
) -> None:
    for age in (15, 9):
        provider.knows("ada", birthdate=born(house, age), email=EMAIL)
        sign_in(app.test_client(), provider)
        assert years(house, district) == age
    assert (sources(house, district), email(house, district)) == (["provider"], "hash alone")


def test_a_lower_age_from_one_provider_takes_an_address_away_that_another_brought(
    app: Flask, provider: Provider, house: House, signing_in: SignInHouse, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 15), email=EMAIL)
    sign_in(app.test_client(), provider)
    signing_in.connections.connect(district.id, "google", {"client_id": "x", "client_secret": "y"}, by="test")
    with house.database.tenant(district.id) as connection:
        other = "(SELECT id FROM grants WHERE provider = 'google')"
        connection.execute(sa.text(f"UPDATE person_field SET grant_id = {other} WHERE field = 'email'"))
    assert email(house, district) == "encrypted"
    provider.knows("ada", birthdate=born(house, 9))
    sign_in(app.test_client(), provider)
    assert email(house, district) == "hash alone"


def test_two_words_of_one_source_at_once_are_one_word(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    today, now = house.clock.now().date(), house.clock.now()
    said = [Said(AgeSource.PROVIDER, Age(age, today)) for age in (9, 12)]

    def learn(one: Said, on: Connection) -> None:
        grant_id = on.execute(sa.text("SELECT id FROM grants")).scalar_one()
        ages.learn(on, whose(district, on), one, grant_id=grant_id, by="test", at=now)

    def second() -> None:
        with house.database.tenant(district.id) as connection:
            learn(said[1], connection)

    with ThreadPoolExecutor(1) as pool:
        with house.database.tenant(district.id) as connection:
            learn(said[0], connection)  # not committed, so that the other finds none yet
            waiting = pool.submit(second)
            until(lambda: blocked(connection), what="the second to wait for the first")
        waiting.result(timeout=20)
    assert (years(house, district), sources(house, district)) == (12, ["provider"])


def blocked(connection: Connection) -> bool:
    """Whether somebody waits for this transaction."""
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    return int(connection.execute(sa.text(waits)).scalar_one()) > 0


@pytest.mark.parametrize("said", ["0000-01-01", "2014", "05/06/2014", "not a day", "2300-01-01", "1850-01-01"])
def test_what_is_no_birth_date_says_nothing_and_is_not_kept(
    browser: FlaskClient, provider: Provider, house: House, district: District, said: str
) -> None:
    provider.knows("ada", birthdate=said)
    assert sign_in(browser, provider).status_code == 303
    assert (years(house, district), sources(house, district)) == (None, [])


def test_a_contract_that_takes_no_ages_has_none(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house))
    provider.knows("ada", birthdate=born(house, 15))
    sign_in(browser, provider)
    assert sources(house, district) == []
    assert browser.get("/learn").status_code == 200  # and nobody is asked


def test_a_provider_that_the_contract_does_not_name_says_no_age(house: House, district: District) -> None:
    world.sign(house, district, world.contract(house, more=f"{AGED}\nproviders: {{clever: {{}}}}"))
    said = {"birthdate": born(house, 11)}
    with house.database.tenant(district.id) as connection:
        contract_id = in_force(connection, district.zone, house.clock.now())
        assert contract_id is not None
        kept = {
            name: ContractIntake(name, house.policies, house.clock)(
                connection, contract_id, district.id, Kind.PUPIL, said
            ).age
            for name in ("clever", "oidc")
        }
    assert (kept["clever"] is not None, kept["oidc"]) == (True, None)


def test_a_contract_that_takes_none_any_more_drops_them(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 15))
    sign_in(browser, provider)
    world.sign(house, district, world.contract(house))
    retained(house, district)
    assert sources(house, district) == []


# The one question.


def test_whoever_comes_for_the_first_time_is_asked_once(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    assert browser.get("/learn").headers["Location"] == "/age"
    page = browser.get("/age").text
    assert "How old are you?" in page
    assert "13" not in page  # nothing tells which answer opens what
    assert answer(browser, years="11").headers["Location"] == "/learn"
    assert (years(house, district), sources(house, district)) == (11, ["self"])
    assert browser.get("/learn").status_code == 200
    assert browser.get("/age").headers["Location"] == "/learn"


def test_nobody_answers_a_second_time(
    app: Flask, browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    other = app.test_client()
    sign_in(other, provider)
    page = other.get("/age").text  # open in a second window
    answer(browser, years="9")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    assert other.post("/age", data={"csrf_token": token[1], "years": "18"}).headers["Location"] == "/learn"
    assert years(house, district) == 9


def test_whoever_would_rather_not_say_is_a_child_and_goes_on(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    assert answer(browser, later="1").headers["Location"] == "/learn"
    assert browser.get("/learn").status_code == 200
    assert years(house, district) is None


@pytest.mark.parametrize("said", ["", "2", "121", "-5", "12.5", "twelve", "2014-05-06", "١٢", "9" * 400, "\x00"])
def test_what_is_no_age_is_asked_for_again(
    browser: FlaskClient, provider: Provider, house: House, district: District, said: str
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    found = answer(browser, years=said)
    assert (found.status_code, "Type a number" in found.text) == (422, True)
    assert sources(house, district) == []


def test_nobody_is_asked_whose_provider_says_it_and_staff_never(
    app: Flask, provider: Provider, house: House, signing_in: SignInHouse, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 9))
    browser = app.test_client()
    sign_in(browser, provider)
    assert browser.get("/learn").status_code == 200
    assert browser.get("/age").headers["Location"] == "/learn"
    assert app.test_client().get("/age").headers["Location"] == "/signin"
    assert app.test_client().post("/age", data={"years": "12"}).status_code == 403
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE person SET kind = 'staff'"))
        connection.execute(sa.text("DELETE FROM person_age"))
    assert not signing_in.age_words.asks(district.id, person(house, district))
    with pytest.raises(ContractForbids):
        signing_in.age_words.say(district.id, person(house, district), "40")


def test_nobody_says_an_age_that_the_contract_does_not_take(
    browser: FlaskClient, provider: Provider, house: House, signing_in: SignInHouse, district: District
) -> None:
    provider.knows("ada")
    sign_in(browser, provider)
    world.sign(house, district, world.contract(house))
    with pytest.raises(ContractForbids):
        signing_in.age_words.say(district.id, person(house, district), "11")
    assert sources(house, district) == []


def test_one_cannot_make_oneself_older_than_the_provider_says(
    app: Flask, browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", email=EMAIL)
    sign_in(browser, provider)
    answer(browser, years="16")
    assert years(house, district) == 16
    provider.knows("ada", birthdate=born(house, 9), email=EMAIL)
    sign_in(app.test_client(), provider)
    assert (years(house, district), email(house, district)) == (9, "hash alone")
