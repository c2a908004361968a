"""Ages of those who come from an LMS: by a birth date of a launch, and by what their district states of a school."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.errors import NotFound
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.aged import AGED, born, sources, years
from tests.peers.bare_platform import Platform


@pytest.fixture
def signing_in(house: House) -> SignInHouse:
    return SignInHouse(house)


def test_a_launch_that_says_a_birth_date_gives_an_age_too(
    client: FlaskClient, house: House, platform: Platform
) -> None:
    owner = world.district(house, "south", world.contract(house, more=AGED))
    world.register(house, owner, platform)
    world.launch(client, platform, house, birthdate=born(house, 9))
    assert (years(house, owner), sources(house, owner)) == (9, ["provider"])


def test_a_statement_about_a_school_holds_of_whoever_is_in_it_now(
    client: FlaskClient, house: House, platform: Platform, signing_in: SignInHouse
) -> None:
    owner = world.district(house, "south", world.contract(house, more=AGED))
    world.register(house, owner, platform)
    world.launch(client, platform, house)
    with house.database.tenant(owner.id) as connection:
        connection.execute(sa.text("UPDATE section SET school = 'Hill High'"))
    signing_in.age_words.state(owner.id, "Hill High", "14", by="test")
    assert years(house, owner) == 14
    signing_in.age_words.state(owner.id, "Dale", "11", by="test")
    assert [one.plain()["school"] for one in signing_in.age_words.statements(owner.id)] == ["Dale", "Hill High"]
    with house.database.tenant(owner.id) as connection:
        connection.execute(sa.text("UPDATE section SET school = 'Dale'"))
    assert years(house, owner) == 11
    with house.database.tenant(owner.id) as connection:
        connection.execute(sa.text("UPDATE membership SET ended_at = now()"))
    assert years(house, owner) is None, "whoever has left the school is not of it any more"
    signing_in.age_words.withdraw(owner.id, "Dale", by="test")
    assert years(house, owner) is None
    with pytest.raises(NotFound):
        signing_in.age_words.withdraw(owner.id, "Dale", by="test")
