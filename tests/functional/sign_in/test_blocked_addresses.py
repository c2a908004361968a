"""A block holds under somebody's e-mail address, in whatever letters a provider writes it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.aged import AGED
from tests.functional.sign_in.conftest import Provider, sign_in


@pytest.fixture
def district(house: House, signing_in: SignInHouse, provider: Provider) -> District:
    """A district whose contract takes e-mail addresses."""
    made = world.district(house, terms=world.contract(house, more=AGED))
    signing_in.connections.connect(made.id, "oidc", provider.config(), by="test")
    return made


@pytest.mark.parametrize("spelt", ["Ada@District.Example", "ada@district.example", " ADA@DISTRICT.EXAMPLE "])
def test_a_blocked_child_with_a_new_account_is_known_by_the_address(
    app: Flask, provider: Provider, house: House, district: District, spelt: str
) -> None:
    provider.knows("ada", email="Ada@district.example")
    sign_in(app.test_client(), provider)
    with house.database.tenant(district.id) as connection:
        person_id = PersonId(connection.execute(sa.text("SELECT id FROM person")).scalar_one())
    house.rights.blocks.of_person(district.id, person_id, by="test")
    provider.knows("another-account", email=spelt)
    browser = app.test_client()
    assert sign_in(browser, provider, "another-account").headers["Location"] == "/lessons"
    provider.knows("somebody-else", email="bea@district.example")
    assert sign_in(browser, provider, "somebody-else").headers["Location"] == "/learn"
