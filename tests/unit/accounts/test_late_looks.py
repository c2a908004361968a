"""Which lists of tenants, and whose lines in them, nobody has looked at for too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.accounts.tenant_lists import LOOK_WITHIN, Watched, late_looks
from lti_server.ids import DistrictId, new_id
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
MINUTES = st.integers(min_value=0, max_value=60)


def before(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


def line(slug: str, looked: int | None, connected: int = 60) -> Watched:
    """A district's line of a list: looked at and connected so many minutes ago."""
    district_id = DistrictId(new_id())
    owner = District(
        id=district_id, slug=slug, name=slug, timezone="UTC", country="US", locale="en",
        keys=DistrictKeys(district_id, b"k" * 32, b"p" * 32),
    )  # fmt: skip
    looked_at = None if looked is None else before(looked)
    return Watched(id=new_id(), district=owner, tenant=slug, since=before(connected), looked_at=looked_at)


def late(list_looked: int, *lines: Watched) -> list[tuple[datetime, tuple[str, ...]]]:
    return [(one.since, one.districts) for one in late_looks("clever", before(list_looked), lines, NOW)]


def test_a_list_of_nobodys_is_never_late() -> None:
    assert late(10_000) == []


@pytest.mark.parametrize(("minutes", "is_late"), [(0, False), (10, False), (11, True)])
def test_a_list_is_late_after_ten_minutes_for_every_district_in_it(minutes: int, is_late: bool) -> None:
    lines = [line("south", minutes), line("north", None, connected=1)]
    assert late(minutes, *lines) == ([(before(minutes), ("north", "south"))] if is_late else [])


def test_a_district_that_is_passed_over_is_named_alone() -> None:
    assert late(1, line("north", 1), line("south", 11)) == [(before(11), ("south",))]
    assert late(1, line("north", 1), line("south", None, connected=11)) == [(before(11), ("south",))]


def test_one_that_was_connected_just_now_waits_for_the_next_look() -> None:
    assert late(1, line("north", 1), line("south", None, connected=10)) == []


def test_a_list_to_which_the_application_has_no_way_makes_nobody_late() -> None:
    assert late(1, line("north", None), line("south", None)) == []
    assert late(1, line("north", 40)) == []  # the key was taken away since


@given(looks=st.lists(MINUTES, min_size=1, max_size=5), list_looked=MINUTES)
def test_whoever_was_looked_at_in_time_is_late_only_with_the_whole_list(looks: list[int], list_looked: int) -> None:
    found = late(list_looked, *(line(f"d{number}", one) for number, one in enumerate(looks)))
    if timedelta(minutes=list_looked) <= LOOK_WITHIN:
        in_time = {f"d{number}" for number, one in enumerate(looks) if one <= 10}
        assert not in_time & {slug for _since, slugs in found for slug in slugs}
