"""Somebody else takes the service over: another operator, another address, the same promises."""

from __future__ import annotations

import dataclasses

import psycopg
import pytest
import sqlalchemy as sa

from lti_server.app import House, build_house
from lti_server.ids import DistrictId
from lti_server.privacy.contracts import Policies, in_force
from tests.functional.restored import Monday, elsewhere, monday, site

__all__ = ["elsewhere", "monday", "site"]

# What was signed, agreed to, refused and asked for: it goes with the data, or the data does not go.
PROMISES = (
    "contract", "consent", "disclosure_restriction", "correction", "block", "erasure", "grants",
    "revocation", "disposition", "guardian_request", "own_request",
)  # fmt: skip
SUCCESSOR = "https://successor.example"


def policy_of(house: House, district_id: DistrictId) -> str:
    with house.database.tenant(district_id) as connection:
        contract_id = in_force(connection, house.entered(connection).zone, house.clock.now())
        assert contract_id is not None
        return Policies().of(connection, contract_id).policy_hash


def versions(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT t::text FROM policy_version t ORDER BY 1").fetchall()


def test_whoever_takes_the_service_over_is_bound_by_every_contract_consent_and_refusal(monday: Monday) -> None:
    before = monday.site.contents()
    policy, notice = policy_of(monday.house, monday.district_id), versions(monday.site.url)
    monday.backup()
    monday.site.environment(monday.elsewhere, BASE_URL=SUCCESSOR)
    monday.site.run("restore", str(monday.site.file))
    after = monday.site.contents(monday.elsewhere)
    for table in PROMISES:
        assert before[table], table
        assert after[table] == before[table], table
    for table in ("log_entry", "log_link"):  # the restore is an entry of its own
        assert set(before[table]) <= set(after[table]), table
    assert versions(monday.elsewhere) == notice
    house = build_house(dataclasses.replace(monday.site.settings, base_url=SUCCESSOR), monday.elsewhere)
    try:
        assert policy_of(house, monday.district_id) == policy
        for table in ("contract", "consent"):
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                rewrite(house, monday.district_id, table)
    finally:
        house.database.dispose()


def rewrite(house: House, district_id: DistrictId, table: str) -> None:
    with house.database.tenant(district_id) as connection:
        connection.execute(sa.text(f"UPDATE {table} SET policy_hash = 'wider'"))
