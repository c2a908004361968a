"""The tombstone, held by the database: a key that was destroyed is never made again, and nothing is written of anyone
who was erased, whatever was under way."""

from __future__ import annotations

import threading
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from lti_server.accounts import store as people
from lti_server.accounts.model import FieldValue, Kind, Known, Subject
from lti_server.app import House
from lti_server.errors import NotFound
from lti_server.ids import PersonId
from lti_server.privacy import schedule
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.districts import District
from lti_server.privacy.grants import open_grant
from lti_server.privacy.model import Origin, Purpose
from lti_server.privacy.store_gate import leave
from tests import world

SUBJECT = Subject(provider="lti", issuer="https://lms.example", client_id="c", subject="pupil-1")


def named(value: str, house: House) -> FieldValue:
    """A name, with the leave that the usual contract gives for it."""
    policy = compile_policy(parse(world.contract(house)))
    given = leave(policy, schedule.NAME, purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL)
    assert given is not None
    return FieldValue(name="name", value=value, leave=given)


@pytest.fixture
def district(house: House) -> District:
    return world.district(house)


@pytest.fixture
def source(house: House, district: District) -> people.Source:
    with house.database.tenant(district.id) as connection:
        grant_id = open_grant(connection, district.id, "lti", house.clock.now())
        connection.execute(sa.text("UPDATE grants SET state = 'active' WHERE state <> 'active'"))
    return people.Source(grant_id=grant_id, epoch=1, run_id=None, at=house.clock.now())


@pytest.fixture
def known(house: House, district: District, source: people.Source) -> Known:
    with house.database.tenant(district.id) as connection:
        made = people.create(connection, district.keys, SUBJECT, kind=Kind.PUPIL, source=source, keep_subject=True)
        people.write_fields(connection, district.keys, made, source, [named("Ada", house)], [])
    return made


def test_what_was_under_way_writes_nothing_of_somebody_who_is_erased_meanwhile(
    house: House, district: District, known: Known, source: people.Source
) -> None:
    """A launch that read the key before the erasure waits for it at its first write, and is refused then."""
    refused: list[NotFound] = []

    def write() -> None:
        try:
            with house.database.tenant(district.id) as connection:
                people.write_fields(connection, district.keys, known, source, [named("Eve", house)], [])
        except NotFound as error:
            refused.append(error)

    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("SELECT FROM person WHERE id = :id FOR UPDATE"), {"id": known.person_id})
        writer = threading.Thread(target=write)
        writer.start()
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        for _ in range(2000):
            if connection.execute(waits).scalar_one():
                break
        connection.execute(sa.text("DELETE FROM person_field"))
        connection.execute(
            sa.text("UPDATE person SET wrapped_key = NULL, key_destroyed_at = now() WHERE id = :id"),
            {"id": known.person_id},
        )
    writer.join(timeout=30)
    assert len(refused) == 1
    assert "erased" in refused[0].detail
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person_field")).scalar_one() == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE person SET wrapped_key = '\\x01', key_destroyed_at = NULL WHERE id = %(id)s",
        "UPDATE person SET key_destroyed_at = now() - interval '1 day' WHERE id = %(id)s",
        "DELETE FROM person WHERE id = %(id)s",
    ],
)
def test_a_tombstone_stays_against_every_role(house: House, district: District, known: Known, change: str) -> None:
    house.rights.erase(district.id, known.person_id, by="test")
    with psycopg.connect(house.database.url) as owner:
        owner.execute("ALTER TABLE person NO FORCE ROW LEVEL SECURITY")
        with pytest.raises(psycopg.errors.DatabaseError) as refused:
            owner.execute(change.replace("%(id)s", f"'{known.person_id}'"))
        assert refused.value.sqlstate == "LG004"


def test_a_replay_on_a_restored_backup_erases_again_and_passes_over_whom_it_does_not_have(
    house: House, district: District, known: Known
) -> None:
    erase = house.rights.erase
    done = erase.replay(district.id, known.person_id)
    assert done is not None
    assert done.erased_at is not None
    assert erase.replay(district.id, PersonId(UUID(int=7))) is None
