"""A district's contracts on a real database: versions, the one in force, and the moment when it ends."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from lti_server.app import House
from lti_server.errors import InvalidInput, NoContract
from lti_server.ids import ContractId, new_id
from lti_server.privacy import contracts
from lti_server.privacy.contracts import Policies
from lti_server.privacy.districts import District
from tests import world
from tests.unit.privacy.contract_text import written

ZONES = ("UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Europe/Paris")


def file(first: date, last: date, **head: str) -> str:
    return written({"signed_at": str(first), "valid": f"{{from: {first}, to: {last}}}", **head})


@pytest.fixture
def district(house: House) -> District:
    return world.district(house, terms=None)


def states(house: House, owner: District, now: datetime, zone: str = "UTC") -> list[str]:
    with house.database.tenant(owner.id) as connection:
        return [one.state for one in contracts.versions(connection, ZoneInfo(zone), now)]


def in_force(house: House, owner: District, now: datetime, zone: str = "UTC") -> ContractId | None:
    with house.database.tenant(owner.id) as connection:
        return contracts.in_force(connection, ZoneInfo(zone), now)


@pytest.mark.parametrize("zone", ZONES)
def test_a_contract_holds_from_midnight_to_midnight_in_the_districts_time_zone(
    house: House, district: District, zone: str
) -> None:
    world.sign(house, district, file(date(2026, 9, 1), date(2026, 9, 30)))
    begins = datetime(2026, 9, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    ends = datetime(2026, 10, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    moments = (begins - timedelta(seconds=1), begins, ends - timedelta(seconds=1), ends)
    assert [states(house, district, at, zone)[0] for at in moments] == ["waiting", "in_force", "in_force", "expired"]
    assert [in_force(house, district, at, zone) is not None for at in moments] == [False, True, True, False]


def test_a_new_version_replaces_the_former_from_its_first_day_on(house: House, district: District) -> None:
    world.sign(house, district, file(date(2026, 1, 1), date(2026, 12, 31)))
    world.sign(house, district, file(date(2026, 9, 1), date(2027, 8, 31)))
    before, after = datetime(2026, 8, 31, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
    assert states(house, district, before) == ["waiting", "in_force"]
    assert states(house, district, after) == ["in_force", "replaced"]
    assert in_force(house, district, before) != in_force(house, district, after)


def test_a_version_that_has_expired_does_not_bring_the_former_back(house: House, district: District) -> None:
    world.sign(house, district, file(date(2026, 1, 1), date(2028, 12, 31)))
    world.sign(house, district, file(date(2026, 2, 1), date(2026, 3, 31)))
    now = datetime(2026, 4, 1, tzinfo=UTC)
    assert states(house, district, now) == ["expired", "replaced"]
    assert in_force(house, district, now) is None


def test_each_signing_makes_another_id_though_the_file_is_the_same(house: House, district: District) -> None:
    for _ in range(2):
        world.sign(house, district, file(date(2026, 1, 1), date(2028, 12, 31)))
    with house.database.tenant(district.id) as connection:
        second, first = contracts.versions(connection, ZoneInfo("UTC"), datetime(2026, 5, 1, tzinfo=UTC))
    assert (first.version, second.version) == (1, 2)
    assert first.id != second.id
    assert first.policy_hash == second.policy_hash


def test_a_file_with_a_fault_is_not_signed(house: House, district: District) -> None:
    with pytest.raises(InvalidInput, match="one fault"):
        world.sign(house, district, file(date(2026, 1, 1), date(2028, 12, 31), family="ndpa9"))
    assert states(house, district, datetime(2026, 5, 1, tzinfo=UTC)) == []


def test_ten_who_sign_at_once_make_ten_versions(house: House, district: District) -> None:
    text = file(date(2026, 1, 1), date(2028, 12, 31))
    threads = [threading.Thread(target=world.sign, args=(house, district, text)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with house.database.tenant(district.id) as connection:
        found = contracts.versions(connection, ZoneInfo("UTC"), datetime(2026, 5, 1, tzinfo=UTC))
    assert [one.version for one in found] == list(range(10, 0, -1))


def test_a_district_has_none_of_anothers_contracts(house: House, district: District) -> None:
    world.sign(house, district, file(date(2026, 1, 1), date(2028, 12, 31)))
    now = datetime(2026, 5, 1, tzinfo=UTC)
    theirs = in_force(house, district, now)
    assert theirs is not None
    stranger = world.district(house, "south", terms=None)
    assert in_force(house, stranger, now) is None
    with house.database.tenant(stranger.id) as connection, pytest.raises(NoContract):
        Policies().of(connection, theirs)


def test_a_contract_that_is_not_there_is_no_policy(house: House, district: District) -> None:
    with house.database.tenant(district.id) as connection, pytest.raises(NoContract):
        Policies().of(connection, ContractId(new_id()))


def test_a_version_is_compiled_once(house: House, district: District) -> None:
    world.sign(house, district, file(date(2026, 1, 1), date(2028, 12, 31)))
    signed = in_force(house, district, datetime(2026, 5, 1, tzinfo=UTC))
    assert signed is not None
    policies = Policies()
    with house.database.tenant(district.id) as connection:
        assert policies.of(connection, signed) is policies.of(connection, signed)


@pytest.mark.parametrize("statement", ["UPDATE contract SET policy_hash = 'x'", "DELETE FROM contract"])
def test_what_was_signed_cannot_be_changed(house: House, district: District, statement: str) -> None:
    world.sign(house, district, file(date(2026, 1, 1), date(2028, 12, 31)))
    refused = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
    with refused, house.database.tenant(district.id) as connection:
        connection.execute(sa.text(statement))
    with house.database.tenant(district.id) as connection:  # which a version that a restore has lost may be given
        assert connection.execute(sa.text("UPDATE contract SET valid_to = '2099-01-01'")).rowcount == 0
