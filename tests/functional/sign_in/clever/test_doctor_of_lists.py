"""`doctor` names a list of school systems at which no worker looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lti_server.accounts.tenant_lists import Watched
from lti_server.app import House
from lti_server.cli import doctor
from lti_server.cli.doctor import Check
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests.clock import FakeClock
from tests.peers.clever import Clever


@pytest.fixture
def says(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Check]:
    monkeypatch.setattr(doctor, "build_house", lambda *_: house)
    return lambda: doctor._tenant_lists(house.settings, house.settings.database_url or "")


def test_without_a_worker_the_list_and_its_districts_are_named(
    says: Callable[[], Check], clever: Clever, district: District, south: District, clock: FakeClock
) -> None:
    assert says().ok
    clock.pass_s(601)
    check = says()
    assert not check.ok
    assert "clever, not since 20" in check.detail
    assert "UTC, for north, south." in check.detail
    assert "lti-server worker" in check.detail
    assert clever.asked == []  # the doctor asks no provider


def test_a_list_that_is_looked_at_is_well_also_where_it_cannot_be_read(
    says: Callable[[], Check], clever: Clever, district: District, clock: FakeClock, look: Callable[[], None]
) -> None:
    clock.pass_s(601)
    look()
    assert says().ok
    clever.out = True
    clock.pass_s(601)
    assert not says().ok
    look()
    assert says().ok


def test_a_district_that_is_passed_over_is_named_alone(
    says: Callable[[], Check], house: House, signing_in: SignInHouse, district: District, south: District,
    clock: FakeClock, look: Callable[[], None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    watch = signing_in.watch_tenants
    judge = watch._judge

    def but_south(one: Watched, provider: str, named: bool | None) -> None:
        if one.district.id == south.id:
            raise RuntimeError("a lock that is not had")
        judge(one, provider, named)

    monkeypatch.setattr(watch, "_judge", but_south)
    for _ in range(3):
        look()
    check = says()
    assert not check.ok
    assert "for south." in check.detail


def test_an_operator_without_an_application_has_no_list(says: Callable[[], Check]) -> None:
    assert says().ok
