"""9. A policy that is missing or broken refuses: whatever the fault, nothing is allowed by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
import sqlalchemy as sa
import yaml
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from lti_server.app import House
from lti_server.db import Door
from lti_server.errors import ContractForbids, NoContract
from lti_server.privacy import districts
from lti_server.privacy.contract_file import check
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.limits import limit_of
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import Platform

TERMS = {"collect": True, "store": True, "retain_days": 400, "sources": ["school"], "purposes": ["instruction"]}
WHOLE: dict[str, Any] = {
    "contract": 1, "family": "ndpa1", "signed_at": "2026-08-01", "valid": {"from": "2026-08-01", "to": "2029-08-01"},
    "purposes": ["instruction", "progress_reporting", "evaluation"], "providers": {"lti": {"gradebook": True}},
    "elements": {
        "student_name.first_and_or_last": dict(TERMS),
        "enrollment.grade_level": {**TERMS, "purposes": ["progress_reporting"]},
    },
    "educator_elements": ["name"],
    "limits": {"disposition_days": {"value": 60, "clause": "Art. IV 6"}},
    "reports": [
        {"audience": "district", "level": "aggregate", "dimensions": ["grade"],
         "min_n": {"value": 10, "clause": "Exhibit H 2"},
         "recipients": [{"name": "Office", "email": "office@district.example", "role": "data_steward"}]},
    ],
    "evaluators": [{"name": "R", "purposes": ["evaluation"], "min_k": 10, "expires": "2027-06-30"}],
    "subprocessors": [{"name": "Host", "hosts": ["db.example.net"]}],
    "statutes": ["ferpa"], "offer": {"signed_at": "2026-08-01", "clause": "Exhibit E"},
}  # fmt: skip


# Each list of its own: what is shared would be written as an alias, and refused for that.
WHOLE = json.loads(json.dumps(WHOLE))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def with_value(path: tuple[Any, ...], value: Any) -> str:
    changed = deepcopy(WHOLE)
    at(changed, path[:-1])[path[-1]] = value
    return yaml.safe_dump(changed, sort_keys=False)


NUMBERS = [path for path in leaves(WHOLE) if type(at(WHOLE, path)) is int]
TRUTHS = [path for path in leaves(WHOLE) if type(at(WHOLE, path)) is bool]
# Text that may be any text: its type can be wrong, its words cannot.
FREE = ("clause", "name")
WORDS = [
    path for path in leaves(WHOLE) if type(at(WHOLE, path)) is str and path[-1] not in FREE and "hosts" not in path
]
wrong_types: st.SearchStrategy[Any] = st.sampled_from([None, [], {}, [[]], {"a": 1}])


def test_the_whole_is_taken_so_that_each_refusal_is_the_broken_values() -> None:
    contract, faults = check(yaml.safe_dump(WHOLE, sort_keys=False))
    assert faults == []
    assert contract is not None


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(leaves(WHOLE), key=str)), wrong_types)
def test_any_value_that_is_missing_null_or_of_another_type_refuses_the_whole(path: tuple[Any, ...], value: Any) -> None:
    assert check(with_value(path, value))[0] is None


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(NUMBERS, key=str)),
    st.sampled_from(["10", "1_0", "0x0A", "ten", "", -1, 1.5, 10.0, True, 10**9]) | st.integers(max_value=-1),
)
def test_any_number_that_is_no_whole_number_in_plain_digits_refuses_the_whole(
    path: tuple[Any, ...], value: Any
) -> None:
    assert check(with_value(path, value))[0] is None


@settings(deadline=None)
@given(st.sampled_from(sorted(TRUTHS, key=str)), st.sampled_from(["true", "yes", "on", "1", 1, 0, "", 1.0]))
def test_any_truth_value_that_is_none_refuses_the_whole(path: tuple[Any, ...], value: Any) -> None:
    assert check(with_value(path, value))[0] is None


@settings(deadline=None)
@given(st.sampled_from(sorted(WORDS, key=str)), st.sampled_from(["unknown_word", "", "*", "INSTRUCTION ", "any"]))
def test_any_word_of_a_closed_set_that_is_unknown_refuses_the_whole(path: tuple[Any, ...], value: str) -> None:
    assert check(with_value(path, value))[0] is None


@pytest.mark.parametrize("name", ["student_name.nick", "demographics", "*", "", "student_name.*"])
def test_an_unknown_element_refuses_the_whole(name: str) -> None:
    changed = deepcopy(WHOLE)
    changed["elements"][name] = dict(TERMS)
    assert check(yaml.safe_dump(changed))[0] is None


@pytest.mark.parametrize(
    "edit",
    [
        "replace(document, 'retain_days: 400', 'retain_days: \"10\"')",
        "replace(document, 'retain_days: 400', 'retain_days: null')",
        "replace(document, ', retain_days: 400', '')",
        "replace(document, 'student_name.first_and_or_last', 'student_name.unknown')",
        "replace(document, 'collect: true', 'collect: yes')",
        "left(document, 200)",
        "''",
    ],
)
def test_a_stored_contract_that_was_broken_opens_no_lesson_and_keeps_nobody(
    client: FlaskClient, platform: Platform, house: House, district: District, edit: str
) -> None:
    with psycopg.connect(house.database.url, autocommit=True) as thief:
        thief.execute(f"UPDATE contract SET document = {edit}".encode())
    assert world.launch(client, platform, house).status_code == 403
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one() == 0
        contract_id = in_force(connection, district.zone, house.clock.now())
        assert contract_id is not None
        with pytest.raises(NoContract):
            Policies().of(connection, contract_id)


def test_a_deleted_limit_refuses_what_depends_on_it(house: House) -> None:
    owner = world.district(house)
    with house.database.tenant(owner.id) as connection:
        contract_id = in_force(connection, owner.zone, house.clock.now())
        assert contract_id is not None
        policy = Policies().of(connection, contract_id)
    for name in ("disposition_days", "breach_notice_hours", "portion_days", "min_n"):
        with pytest.raises(ContractForbids, match=name):
            limit_of(policy.limits, name)


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_launch_is_refused_before_the_signature_and_from_midnight_after_the_last_day(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock, zone: str
) -> None:
    with house.database.anyone() as connection:
        owner = districts.create(
            connection, house.ring, slug="far", name="Far", timezone=zone, country="US", locale="en",
            slug_key=house.doors.of(Door.DISTRICT, "far"), now=clock.now(),
        )  # fmt: skip
    world.register(house, owner, platform)
    signed = clock.now().astimezone(ZoneInfo(zone)).date() + timedelta(days=2)
    last = signed + timedelta(days=1)
    text = world.contract(house).replace(f"signed_at: {clock.now().date() - timedelta(days=1)}", f"signed_at: {signed}")
    until = f"to: {clock.now().date() + timedelta(days=365)}"
    world.sign(house, owner, text.replace(until, f"to: {last}"))
    begins = datetime.combine(signed, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    ends = datetime.combine(last + timedelta(days=1), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    found = []
    for moment in (
        begins - timedelta(seconds=1),
        begins,
        ends - timedelta(seconds=1),
        ends,
        begins - timedelta(days=1),
    ):
        clock.pass_s((moment - clock.now()).total_seconds())
        found.append(world.launch(client, platform, house).status_code)
    assert found == [403, 303, 303, 403, 403]
