"""The tool's signing keys overlap, so that a rotation fails no call."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from lti_server.app import House
from lti_server.errors import Conflict
from tests.clock import FakeClock

HOUR = 3600


class PatientPlatform:
    """An LMS that keeps a key set for twelve hours, and reads it again only then."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.kept: dict[str, Any] = {}
        self.read_at = house.clock.now() - timedelta(days=1)

    def takes(self, token: str) -> bool:
        if self.house.clock.now() - self.read_at >= timedelta(hours=12):
            self.kept, self.read_at = self.house.tool_keys.public_jwks(), self.house.clock.now()
        keys = KeySet([RSAKey.import_key(one) for one in self.kept["keys"]])
        try:
            jwt.decode(token, keys, algorithms=["RS256"])
        except (JoseError, ValueError):
            return False
        return True


def signed(house: House) -> str:
    now = house.tool_keys.current()
    return jwt.encode({"alg": "RS256", "kid": now.kid}, {"iss": "client-1"}, now.key, algorithms=["RS256"])


def states(house: House) -> list[str]:
    return [one.state for one in house.tool_keys.every()]


def test_no_call_fails_in_the_weeks_around_a_rotation(house: House, clock: FakeClock) -> None:
    platforms: list[PatientPlatform] = []
    failed = 0
    for hour in range(24 * 12):
        if hour % 5 == 0 and len(platforms) < 6:
            platforms.append(PatientPlatform(house))
        if hour == 24:
            house.tool_keys.rotate()
        house.tool_keys.retire()
        failed += sum(not one.takes(signed(house)) for one in platforms)
        clock.pass_s(HOUR)
    assert failed == 0
    assert states(house) == ["retired", "signing"]


def test_a_key_is_published_a_day_before_it_signs_and_a_week_after(house: House, clock: FakeClock) -> None:
    first = house.tool_keys.current().kid
    second = house.tool_keys.rotate().kid
    assert states(house) == ["signing", "published"]
    assert {one["kid"] for one in house.tool_keys.public_jwks()["keys"]} == {first, second}
    clock.pass_s(24 * HOUR - 60)
    assert house.tool_keys.current().kid == first
    clock.pass_s(120)
    assert house.tool_keys.current().kid == second
    assert states(house) == ["resting", "signing"]
    clock.pass_s(6 * 24 * HOUR)
    house.tool_keys.retire()
    assert first in {one["kid"] for one in house.tool_keys.public_jwks()["keys"]}
    clock.pass_s(24 * HOUR)
    house.tool_keys.retire()
    assert {one["kid"] for one in house.tool_keys.public_jwks()["keys"]} == {second}


def test_a_server_that_never_signed_rotates_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes between the making of its first key and the look for one that waits."""
    now = house.clock.now

    def later() -> datetime:
        house.clock.pass_s(0.001)  # type: ignore[attr-defined]  # the clock of the tests
        return now()

    monkeypatch.setattr(house.clock, "now", later)
    house.tool_keys.rotate()
    assert states(house) == ["signing", "published"]


def test_a_second_rotation_waits_for_the_first(house: House) -> None:
    house.tool_keys.rotate()
    with pytest.raises(Conflict):
        house.tool_keys.rotate()


def test_two_rotations_at_once_make_one_key(house: House) -> None:
    refused: list[Exception] = []

    def rotate() -> None:
        try:
            house.tool_keys.rotate()
        except Conflict as error:
            refused.append(error)

    house.tool_keys.current()
    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert states(house) == ["signing", "published"]


def test_a_leaked_key_is_withdrawn_at_once(house: House) -> None:
    leaked = house.tool_keys.current().kid
    made = house.tool_keys.rotate(compromised=True)
    assert house.tool_keys.current().kid == made.kid
    assert leaked not in {one["kid"] for one in house.tool_keys.public_jwks()["keys"]}


def test_a_leaked_key_is_withdrawn_while_its_successor_waits(house: House) -> None:
    leaked = house.tool_keys.current().kid
    house.tool_keys.rotate()
    house.tool_keys.rotate(compromised=True)
    assert house.tool_keys.current().kid != leaked
    assert states(house) == ["retired", "signing", "published"]


def test_no_private_half_can_be_read_from_the_table_and_a_retired_key_has_none(house: House) -> None:
    private = house.tool_keys.current().key.as_dict(private=True)
    house.tool_keys.rotate(compromised=True)
    with house.database.anyone() as connection:
        rows = connection.execute(
            sa.text("SELECT kid, public_jwk::text AS public, wrapped_private FROM tool_key")
        ).all()
    for row in rows:
        assert '"d"' not in row.public
        assert str(private["d"]).encode() not in bytes(row.wrapped_private)
    assert [len(row.wrapped_private) > 0 for row in rows].count(False) == 1
