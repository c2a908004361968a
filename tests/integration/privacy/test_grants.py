"""The states of a grant as the database holds them, against every role; and rows that a grant must stand for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import psycopg
import pytest
import sqlalchemy as sa

from lti_server.app import House
from lti_server.errors import GrantRevoked
from lti_server.ids import GrantId, new_id
from lti_server.privacy import grants
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import MOVES, WITHDRAWN, GrantState
from tests import world


@pytest.fixture
def district(house: House) -> District:
    return world.district(house)


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    """The owner of the schema, which is a superuser here, and its way around triggers."""
    with psycopg.connect(database_url, autocommit=True) as found:
        yield found


def made(house: House, district: District, state: str = "active") -> GrantId:
    with house.database.tenant(district.id) as connection:
        return grants.open_grant(connection, district.id, "lti", house.clock.now(), state=state)


def test_the_database_knows_the_moves_of_the_rule(owner: psycopg.Connection) -> None:
    for before, after in product(GrantState, GrantState):
        found = owner.execute("SELECT grant_may_move(%s, %s)", [before.value, after.value]).fetchone()
        assert found == (after in MOVES[before],), (before, after)


@pytest.mark.parametrize("role", ["origin", "replica"])
def test_nobody_leads_a_grant_back_the_owner_neither(
    house: House, district: District, owner: psycopg.Connection, role: str
) -> None:
    owner.execute(f"SET session_replication_role = {role}")
    for state in sorted(WITHDRAWN):
        grant_id = made(house, district, state)
        for to in set(GrantState) - MOVES[GrantState(state)] - {GrantState(state)}:
            with pytest.raises(psycopg.DatabaseError, match="never becomes"):
                owner.execute("UPDATE grants SET state = %s, epoch = epoch + 1 WHERE id = %s", [to.value, grant_id])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("epoch = epoch - 1", "never falls"),
        ("provider = 'clever'", "made for"),
        ("district_id = gen_random_uuid()", "made for"),
        ("state = 'revoking'", "next epoch"),
        ("uses = '{signin}'", "next epoch"),
    ],
)
def test_the_owner_cannot_change_what_a_grant_is(
    house: House, district: District, owner: psycopg.Connection, change: str, why: str
) -> None:
    grant_id = made(house, district)
    owner.execute("UPDATE grants SET epoch = 5 WHERE id = %s", [grant_id])
    with pytest.raises(psycopg.DatabaseError, match=why):
        owner.execute(f"UPDATE grants SET {change} WHERE id = %s", [grant_id])


def test_a_withdrawn_use_does_not_come_back(house: House, district: District, owner: psycopg.Connection) -> None:
    grant_id = made(house, district)
    owner.execute("UPDATE grants SET uses = '{signin}', epoch = epoch + 1 WHERE id = %s", [grant_id])
    with pytest.raises(psycopg.DatabaseError, match="only narrow"):
        owner.execute("UPDATE grants SET uses = '{signin,roster}', epoch = epoch + 1 WHERE id = %s", [grant_id])


@pytest.mark.parametrize("how", ["DELETE FROM grants", "TRUNCATE grants CASCADE"])
def test_a_grant_is_never_deleted(house: House, district: District, owner: psycopg.Connection, how: str) -> None:
    made(house, district)
    with pytest.raises(psycopg.DatabaseError, match="never deleted"):
        owner.execute(how)


def session_row(district: District, grant_id: GrantId, epoch: int, house: House) -> dict[str, object]:
    now = house.clock.now()
    return {
        "id": new_id(), "district": district.id, "grant": grant_id, "epoch": epoch, "now": now,
        "until": now + timedelta(hours=1),
    }  # fmt: skip


INSERT = sa.text(
    "INSERT INTO session (id, district_id, role, grant_id, grant_epoch, created_at, expires_at)"
    " VALUES (:id, :district, 'pupil', :grant, :epoch, :now, :until)"
)


def test_a_row_is_written_only_at_its_grants_epoch(house: House, district: District) -> None:
    grant_id = made(house, district)
    with house.database.tenant(district.id) as connection:
        connection.execute(INSERT, session_row(district, grant_id, 1, house))
    with pytest.raises(GrantRevoked), house.database.tenant(district.id) as connection:
        connection.execute(INSERT, session_row(district, grant_id, 2, house))


@pytest.mark.parametrize("state", ["pending", "suspended", "revoking", "revoked", "expired"])
def test_no_row_is_written_by_a_grant_that_is_not_in_force(house: House, district: District, state: str) -> None:
    grant_id = made(house, district, state)
    with pytest.raises(GrantRevoked), house.database.tenant(district.id) as connection:
        connection.execute(INSERT, session_row(district, grant_id, 1, house))


def test_another_districts_grant_lets_nothing_be_written(house: House, district: District) -> None:
    other = world.district(house, "south")
    grant_id = made(house, other)
    with pytest.raises(GrantRevoked), house.database.tenant(district.id) as connection:
        connection.execute(INSERT, session_row(district, grant_id, 1, house))


def test_every_table_that_keeps_by_a_grant_asks_whether_it_stands(owner: psycopg.Connection) -> None:
    """A new table with `grant_id` joins them, or says here why it need not."""
    excused = {
        "progress_summary",  # the pupil's own, written beside an event that asks
        "person_age",  # written with the session or the fields of a sign-in or launch, which ask
        "disposition",  # a directive about what a revoked one has left
        "grant_section",  # what the grant itself reaches
        "signal_receipt",  # what its provider said, also of its own end
        "upstream_revocation",  # a token on its way back, whatever becomes of the grant
        "registration", "provider_connection",  # made with their grant, pending or in force
        "roster_run", "revocation",  # records of what was done, counts alone
    }  # fmt: skip
    rows = owner.execute(
        "SELECT c.relname, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'grant_must_stand')"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'grant_id'"
        " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
    ).fetchall()
    assert {name for name, asks in rows if not asks} == excused


def test_what_changes_between_the_first_look_and_the_fence_is_seen(
    house: House, district: District, owner: psycopg.Connection
) -> None:
    """The first look is made to tell of a moment ago; the one inside the fence tells of now."""
    grant_id = made(house, district, "revoked")
    owner.execute("ALTER FUNCTION grant_is_at(uuid, integer, text) RENAME TO grant_is_at_now")
    owner.execute(
        "CREATE FUNCTION grant_is_at(wanted uuid, at_epoch integer, wanted_use text) RETURNS boolean LANGUAGE plpgsql"
        " AS $$ BEGIN IF current_setting('test.looked', true) = 'once' THEN"
        " RETURN grant_is_at_now(wanted, at_epoch, wanted_use); END IF;"
        " PERFORM set_config('test.looked', 'once', true); RETURN true; END $$"
    )
    hold = sa.text("SELECT grant_hold(:grant, 1, NULL)")
    with house.database.tenant(district.id) as connection:
        assert connection.execute(hold, {"grant": grant_id}).scalar_one() is False
