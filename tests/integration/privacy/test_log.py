"""The log on a real database: only added to, sealed whatever order commits come in, and found out when touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.app import House, run_worker
from lti_server.errors import Conflict, InvalidInput
from lti_server.ids import PersonId, new_id
from lti_server.privacy import log, log_sealer
from lti_server.privacy.crypto import PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.log_chain import Fault, Verdict
from lti_server.privacy.log_reading import Stay, Wanted, entries_about, read_log
from lti_server.privacy.log_sealer import SealLog
from tests import world


def write(house: House, owner: District, act: str, connection: Connection | None = None, **more: object) -> None:
    made = log.entry(
        owner.keys, at=house.clock.now(), actor="cli:test", act=act, decision="allowed", purpose="operation",
        **more,  # type: ignore[arg-type]  # a test's own words
    )  # fmt: skip
    if connection is not None:
        log.record(connection, made)
        return
    with house.database.tenant(owner.id) as own:
        log.record(own, made)


def seal(house: House) -> int:
    return SealLog(house.database, house.clock)()


def verdict(house: House, owner: District, file: bytes | None = None) -> Verdict:
    kept = {} if file is None else house.audit.read_checkpoint(file)
    return house.audit.verify([owner.id], kept)[0]


def faults(found: Verdict) -> list[Fault]:
    return [one.fault for one in found.faults]


@pytest.fixture
def owner(house: House) -> District:
    return world.district(house)


@pytest.fixture
def chain(house: House, owner: District) -> list[str]:
    """A sealed log of four entries."""
    acts = ["one", "two", "three", "four"]
    for act in acts:
        write(house, owner, act, payload={"count": 1}, elements=["student_name.first_and_or_last"])
    assert seal(house) == 4
    return acts


@pytest.mark.parametrize("table", ["log_entry", "log_link"])
@pytest.mark.parametrize("statement", ["UPDATE {0} SET district_id = district_id", "DELETE FROM {0}", "TRUNCATE {0}"])
@pytest.mark.parametrize("mode", ["origin", "replica"])
def test_the_owner_cannot_change_the_log_in_any_mode(
    house: House, chain: list[str], database_url: str, table: str, statement: str, mode: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"SET session_replication_role = {mode}")
        with pytest.raises(psycopg.Error, match="the log is only added to"):
            connection.execute(statement.format(table))


@pytest.mark.parametrize("statement", ["UPDATE {0} SET district_id = district_id", "DELETE FROM {0}", "TRUNCATE {0}"])
@pytest.mark.parametrize("table", ["log_entry", "log_link"])
def test_the_application_may_not_even_try(
    house: House, owner: District, chain: list[str], table: str, statement: str
) -> None:
    with house.database.tenant(owner.id) as connection, pytest.raises(sa.exc.ProgrammingError, match="permission"):
        connection.execute(sa.text(statement.format(table)))


def test_a_log_is_whole_and_says_what_is_not_sealed_yet(house: House, owner: District, chain: list[str]) -> None:
    write(house, owner, "five")
    found = verdict(house, owner)
    assert (found.ok, found.entries, found.unsealed, found.head.sealed) == (True, 5, 1, 4)


def test_an_entry_that_commits_after_later_ones_were_sealed_is_sealed_next(house: House, owner: District) -> None:
    with house.database.tenant(owner.id) as slow:
        write(house, owner, "slow", slow)
        write(house, owner, "quick")
        assert seal(house) == 1
    assert seal(house) == 1
    found = verdict(house, owner)
    assert (found.ok, found.unsealed, found.head.sealed) == (True, 0, 2)


def test_an_entry_that_is_rolled_back_is_in_no_chain(house: House, owner: District) -> None:
    with house.database.tenant(owner.id) as connection:
        write(house, owner, "never", connection)
        connection.rollback()
    assert seal(house) == 0


def test_many_writers_and_sealers_at_once_leave_one_whole_chain(
    house: House, owner: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sealer, "BATCH", 7)

    def work(number: int) -> int:
        if number % 4 == 0:
            return seal(house)
        write(house, owner, f"act {number}")
        return 0

    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(work, range(120)))
    assert done + seal(house) == 90
    found = verdict(house, owner)
    assert (found.ok, found.entries, found.unsealed, found.head.sealed) == (True, 90, 0, 90)


def test_a_second_sealer_leaves_a_district_to_the_first_and_waits_for_nobody(house: House, owner: District) -> None:
    write(house, owner, "one")
    with house.database.tenant(owner.id) as first:
        assert first.execute(log_sealer._TRY).scalar_one() is True
        assert seal(house) == 0
    assert seal(house) == 1


DYING = """
import sys
from datetime import UTC, datetime
import sqlalchemy as sa
from lti_server.db import Database
from lti_server.ids import DistrictId, SystemClock
from lti_server.privacy.log_sealer import SealLog
from uuid import UUID
class Stops(SealLog):
    def _batch(self, connection, district_id):
        made = super()._batch(connection, district_id)
        print(made, flush=True)
        sys.stdin.read()
        return made
url, role, district = sys.argv[1:]
Stops(Database(url, role=role), SystemClock()).district(DistrictId(UUID(district)))
"""


def test_a_sealer_that_is_killed_before_it_commits_leaves_everything_to_the_next(
    house: House, owner: District, chain: list[str]
) -> None:
    write(house, owner, "five")
    database = house.database
    dying = subprocess.Popen(
        [sys.executable, "-c", DYING, database.url, str(database.role), str(owner.id)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert dying.stdout is not None
    assert dying.stdout.readline() == "1\n"
    dying.send_signal(signal.SIGKILL)
    dying.communicate()
    assert SealLog(database, house.clock).district(owner.id, wait=True) == 1
    assert verdict(house, owner).ok


def test_the_worker_seals(house: House, owner: District) -> None:
    write(house, owner, "one")
    run_worker(house, until_idle=True)
    assert verdict(house, owner).unsealed == 0


CHANGES = {
    "at": "at + interval '1 microsecond'",
    "actor": "'cli:other'",
    "act": "'other'",
    "decision": "'refused'",
    "purpose": "'instruction'",
    "object_id": "gen_random_uuid()",
    "elements": "'{student_contact.email}'",
    "payload": "payload || '\\x00'",
    "leaf_hash": "sha256(leaf_hash)",
    "population": "'district'",
    "interest": "'service'",
    "district_id": "gen_random_uuid()",
}


def tampered(database_url: str, *statements: str) -> None:
    """As somebody with every right in the database would: it takes the triggers away."""
    with psycopg.connect(database_url) as connection:
        for table in ("log_entry", "log_link"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER log_stays")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_column_by_somebody_with_every_right_is_found(
    house: House, owner: District, chain: list[str], database_url: str, column: str
) -> None:
    tampered(database_url, f"UPDATE log_entry SET {column} = {CHANGES[column]} WHERE act = 'three'")
    found = verdict(house, owner)
    assert not found.ok
    assert found.faults[0].position == 3


def test_every_column_of_an_entry_but_its_number_is_changed_in_a_test(house: House, owner: District) -> None:
    with house.database.tenant(owner.id) as connection:
        names = {column["name"] for column in sa.inspect(connection).get_columns("log_entry")}
    assert names == {"id", *CHANGES}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("DELETE FROM log_entry WHERE act = 'two'", Fault.MISSING),
        ("DELETE FROM log_link WHERE position = 2", Fault.GAP),
        ("UPDATE log_link SET sealed_at = sealed_at + interval '1 s' WHERE position = 2", Fault.LINK),
        (
            "UPDATE log_link SET position = position + 90 WHERE position IN (2, 3);"
            "UPDATE log_link SET position = 95 - position WHERE position IN (92, 93)",
            Fault.LINK,
        ),
    ],
)
def test_what_was_removed_or_put_in_another_order_is_found(
    house: House, owner: District, chain: list[str], database_url: str, change: str, fault: Fault
) -> None:
    tampered(database_url, *change.split(";"))
    assert fault in faults(verdict(house, owner))


@pytest.mark.parametrize("how", ["tail", "everything", "truncate"])
def test_a_cut_end_is_found_by_a_checkpoint_that_was_kept(
    house: House, owner: District, chain: list[str], database_url: str, how: str
) -> None:
    kept = house.audit.checkpoint([owner.id]).file
    cuts = {
        "tail": ["DELETE FROM log_entry WHERE act = 'four'", "DELETE FROM log_link WHERE position = 4"],
        "everything": ["DELETE FROM log_entry", "DELETE FROM log_link"],
        "truncate": ["TRUNCATE log_entry", "TRUNCATE log_link"],
    }
    tampered(database_url, *cuts[how])
    assert verdict(house, owner).ok
    assert faults(verdict(house, owner, kept)) == [Fault.CUT]


def test_a_log_that_was_written_anew_is_found_by_a_checkpoint_that_was_kept(
    house: House, owner: District, chain: list[str], database_url: str
) -> None:
    kept = house.audit.checkpoint([owner.id]).file
    tampered(database_url, "DELETE FROM log_entry", "DELETE FROM log_link", "DELETE FROM log_pending")
    for act in ("one", "two", "innocent", "four"):
        write(house, owner, act)
    seal(house)
    assert verdict(house, owner).ok
    assert Fault.REWRITTEN in faults(verdict(house, owner, kept))


def test_a_log_that_only_grew_holds_against_every_checkpoint(house: House, owner: District, chain: list[str]) -> None:
    first = house.audit.checkpoint([owner.id]).file
    write(house, owner, "five")
    second = house.audit.checkpoint([owner.id]).file
    assert verdict(house, owner, first).ok
    assert verdict(house, owner, second).ok
    assert verdict(house, owner).unsealed == 0


def test_no_checkpoint_vouches_for_a_log_that_is_not_whole(
    house: House, owner: District, chain: list[str], database_url: str
) -> None:
    tampered(database_url, "UPDATE log_entry SET act = 'other' WHERE act = 'three'")
    with pytest.raises(Conflict, match="not vouched for"):
        house.audit.checkpoint([owner.id])


def test_a_checkpoint_that_was_changed_is_none(house: House, owner: District, chain: list[str]) -> None:
    file = json.loads(house.audit.checkpoint([owner.id]).file)
    file["document"]["body"]["chains"][0]["sealed"] = 1
    with pytest.raises(InvalidInput, match="was changed"):
        house.audit.read_checkpoint(json.dumps(file).encode())


def test_a_district_that_is_gone_with_its_log_is_found_by_a_checkpoint(
    house: House, owner: District, chain: list[str]
) -> None:
    kept = house.audit.read_checkpoint(house.audit.checkpoint([owner.id]).file)
    (found,) = house.audit.verify([], kept)
    assert faults(found) == [Fault.CUT]


def test_each_district_has_a_chain_of_its_own(house: House, owner: District, chain: list[str]) -> None:
    other = world.district(house, "south")
    write(house, other, "elsewhere")
    assert seal(house) == 1
    assert [one.head.sealed for one in house.audit.verify(house.audit.districts())] == [4, 1]
    with house.database.tenant(other.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM log_link")).scalar_one() == 1


def test_the_log_is_read_page_by_page_and_each_entry_once(house: House, owner: District) -> None:
    for number in range(7):
        write(house, owner, f"act {number}")  # all at the same moment
    with house.database.tenant(owner.id) as connection:
        acts, after = [], None
        for _ in range(4):
            page = read_log(connection, owner.keys, Wanted(), after=after, limit=2)
            acts += [one.act for one in page.items]
            after = page.next
    assert acts == [f"act {number}" for number in reversed(range(7))]
    assert after is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "MjAyNg", "MjAyNi0xMS0yNVQwMDowMDowMHwx"])
def test_a_place_that_is_none_is_refused_in_words(house: House, owner: District, cursor: str) -> None:
    with house.database.tenant(owner.id) as connection, pytest.raises(InvalidInput, match="no place in the list"):
        read_log(connection, owner.keys, Wanted(), after=cursor)


def person_with_key(house: House, owner: District) -> tuple[PersonId, PersonKey]:
    person_id = PersonId(new_id())
    return person_id, owner.keys.new_person_key(person_id)[0]


def about(house: House, owner: District, person_id: PersonId, key: PersonKey | None, *stays: Stay) -> list[str]:
    with house.database.tenant(owner.id) as connection:
        found = entries_about(connection, owner.keys, person_id, person_key=key, stays=stays)
    return [f"{one.act}: {one.words}" if one.words else one.act for one in found.items]


def test_a_person_reads_what_was_done_with_that_person_and_nobody_else_s(house: House, owner: District) -> None:
    (ada, ada_key), (bob, _) = person_with_key(house, owner), person_with_key(house, owner)
    words = log.Words(person_id=ada, text="asked by a guardian", key=ada_key)
    write(house, owner, "shown", object_id=ada, population="person", words=words)
    write(house, owner, "other", object_id=bob, population="person")
    assert about(house, owner, ada, ada_key) == ["shown: asked by a guardian"]


def test_a_person_reads_of_a_section_what_was_read_while_that_person_was_in_it(house: House, owner: District) -> None:
    ada, key = person_with_key(house, owner)
    section = f"section:{new_id()}"
    before = house.clock.now()
    for act in ("before", "during", "after"):
        house.clock.pass_s(10)  # type: ignore[attr-defined]  # the tests' clock
        write(house, owner, act, population=section)
    stay = Stay(population=section, since=before + (house.clock.now() - before) / 2, until=house.clock.now())
    assert about(house, owner, ada, key, stay) == ["during"]


def test_erasing_a_person_leaves_a_log_that_verifies_and_says_nothing_of_that_person(
    house: House, owner: District
) -> None:
    ada, key = person_with_key(house, owner)
    write(house, owner, "shown", object_id=ada, words=log.Words(person_id=ada, text="a canary named Ada", key=key))
    kept = house.audit.checkpoint([owner.id]).file
    assert about(house, owner, ada, None) == ["shown"]  # the key is destroyed
    with house.database.tenant(owner.id) as connection:
        (entry,) = read_log(connection, owner.keys, Wanted()).items
    assert "canary" not in json.dumps(entry.plain())
    assert verdict(house, owner, kept).ok


def test_a_log_verifies_without_any_key_of_the_district(house: House, owner: District, chain: list[str]) -> None:
    kept = house.audit.checkpoint([owner.id]).file
    with house.database.tenant(owner.id) as connection:
        connection.execute(sa.text("UPDATE district SET data_key = '', pepper = ''"))
    assert verdict(house, owner, kept).ok


def test_a_population_that_could_hold_a_name_is_refused_by_the_code_and_by_the_database(
    house: House, owner: District, database_url: str
) -> None:
    with pytest.raises(ValueError):
        write(house, owner, "shown", population="Ada Lovelace")
    write(house, owner, "shown")
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "INSERT INTO log_entry (district_id, at, actor, act, decision, purpose, elements, payload, leaf_hash,"
            " population) SELECT district_id, at, actor, act, decision, purpose, elements, payload, leaf_hash,"
            " 'Ada Lovelace' FROM log_entry"
        )
