"""A signal of the operator's application goes to the districts that know its person, however many others there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.db import Door
from lti_server.ids import DistrictId
from lti_server.privacy import districts
from lti_server.privacy.districts import District
from lti_server.privacy.grants import open_grant
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.vendors import World, at, house, is_in, peers

__all__ = ["at", "house", "peers"]

SESSIONS = "risc/event-type/sessions-revoked"


@pytest.fixture
def south(at: World, house: House) -> District:
    """A district of the operator's application, in which Lin signs in."""
    google = at.peers["google"]
    google.client_id = "everybody.apps.example"
    connections, made = SignInHouse(house).connections, world.district(house, slug="south")
    connections.application("google", {"client_id": google.client_id, "client_secret": google.client_secret}, by="test")
    connections.connect(made.id, "google", {"domain": "south.example"}, by="test")
    google.knows("lin", given_name="Lin", hd="south.example")
    return made


def lin(at: World) -> FlaskClient:
    at.clock.pass_s(1)
    return at.comes_in("google", "lin", slug="south")


def others(house: House, count: int, provider: str = "google") -> None:
    """So many districts more that have this provider."""
    for number in range(count):
        slug = f"{provider}-{number}"
        with house.database.anyone() as connection:
            made = districts.create(
                connection, house.ring, slug=slug, name=slug, timezone="UTC", country="US", locale="en",
                slug_key=house.doors.of(Door.DISTRICT, slug), now=house.clock.now(),
            )  # fmt: skip
            open_grant(connection, made.id, provider, house.clock.now())


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement)

    sa.event.listen(house.database.engine, "before_cursor_execute", note)
    yield said
    sa.event.remove(house.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("sub", ["lin", "nobody"])
def test_how_much_is_asked_of_the_database_does_not_grow_with_the_districts(
    at: World, house: House, south: District, sub: str
) -> None:
    asked = []
    for more in (0, 15):
        others(house, more)
        lin(at)
        with statements(house) as said:
            assert at.risc(SESSIONS, sub, address="/signals/google").status_code == 202
        asked.append(len(said))
    assert asked[0] == asked[1]


def test_among_others_the_person_is_found(at: World, house: House, south: District) -> None:
    others(house, 5)
    browser = lin(at)
    assert at.risc(SESSIONS, "lin", address="/signals/google").status_code == 202
    assert not is_in(browser)
    assert [row.outcome for row in at.rows("SELECT outcome FROM signal_receipt", south)] == ["sessions_ended"]


def test_an_account_that_is_in_two_districts_is_out_of_both(at: World, house: House, south: District) -> None:
    google, east = at.peers["google"], world.district(house, slug="east")
    SignInHouse(house).connections.connect(east.id, "google", {"domain": "east.example"}, by="test")
    here = lin(at)
    google.knows("lin", given_name="Lin", hd="east.example")
    there = at.comes_in("google", "lin", slug="east")
    assert at.risc(SESSIONS, "lin", address="/signals/google").status_code == 202
    assert [is_in(one) for one in (here, there)] == [False, False]
    assert [len(at.rows("SELECT 1 FROM signal_receipt", one)) for one in (south, east)] == [1, 1]


def test_only_districts_that_have_the_provider_are_looked_through(at: World, house: House, south: District) -> None:
    others(house, 3, "clever")
    with house.database.anyone() as connection:
        rows = connection.execute(sa.text("SELECT district_id FROM signal_districts('google')")).scalars()
        assert set(rows) == {at.district.id, south.id}


@pytest.mark.parametrize("entered", [False, True])
def test_after_the_search_no_other_district_is_entered(at: World, house: House, south: District, entered: bool) -> None:
    """Whoever called it sees what they saw before, and so do the walls."""
    lin(at)
    search = sa.text("SELECT signal_places(ARRAY[CAST(:id AS uuid)], ARRAY[CAST('x' AS bytea)], ARRAY[NULL::bytea])")
    with house.database.anyone() as connection:
        if entered:
            connection.execute(sa.text("SELECT set_config('app.district', :id, true)"), {"id": str(at.district.id)})
        connection.execute(sa.text("SELECT * FROM signal_districts('google')")).all()
        connection.execute(search, {"id": south.id}).all()
        seen = connection.execute(sa.text("SELECT id FROM district")).scalars().all()
    assert [DistrictId(one) for one in seen] == ([at.district.id] if entered else [])
