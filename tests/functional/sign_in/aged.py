"""Districts whose contract takes ages, and what is known of how old somebody is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.ages import Whose
from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.privacy.districts import District
from lti_server.privacy.rights import Asked
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.conftest import Provider

AGED = (  # what a contract says to take ages and addresses
    "  demographics.date_of_birth: {collect: true, store: false, sources: [school, student], purposes: [instruction]}\n"
    f"  student_contact.email: {world.SCHOOL}"
)
ASKED = Asked(by="operator", act="person correct", reason="The family asked.")
EMAIL = "ada@district.example"


@pytest.fixture
def district(house: House, signing_in: SignInHouse, provider: Provider) -> District:
    """A district whose contract takes ages and e-mail addresses."""
    made = world.district(house, terms=world.contract(house, more=AGED))
    signing_in.connections.connect(made.id, "oidc", provider.config(), by="test")
    return made


def born(house: House, years: int) -> str:
    """The birth date of somebody who was so many years old yesterday."""
    day = house.clock.now().date() - timedelta(days=1)
    return day.replace(year=day.year - years).isoformat()


def person(house: House, district: District) -> PersonId:
    with house.database.tenant(district.id) as connection:
        return PersonId(connection.execute(sa.text("SELECT id FROM person")).scalar_one())


def whose(district: District, connection: Connection) -> Whose:
    row = connection.execute(sa.text("SELECT id, wrapped_key FROM person")).one()
    key = district.keys.person_key(PersonId(row.id), bytes(row.wrapped_key))
    return Whose(keys=district.keys, person_id=PersonId(row.id), key=key)


def years(house: House, district: District) -> int | None:
    """How old the one person is, as of now."""
    with house.database.tenant(district.id) as connection:
        return ages.years(connection, whose(district, connection), house.clock.now().date())


def retained(house: House, district: District) -> None:
    with house.database.tenant(district.id) as connection:
        house.retain(connection, district)


def email(house: House, district: District) -> str:
    """In which form the address is kept."""
    with house.database.tenant(district.id) as connection:
        found = connection.execute(
            sa.text(
                "SELECT ciphertext IS NULL AS hashed, lookup IS NOT NULL AS found"
                " FROM person_field WHERE field = 'email'"
            )
        ).one_or_none()
    return "" if found is None else {(True, True): "hash alone", (False, True): "encrypted"}[found.hashed, found.found]


def sources(house: House, district: District) -> list[str]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text("SELECT source FROM person_age ORDER BY source")).scalars())


def answer(browser: FlaskClient, **form: str) -> Any:
    page = browser.get("/age")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    return browser.post("/age", data={"csrf_token": token[1] if token else "", **form})
