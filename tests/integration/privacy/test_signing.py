"""Signing, amending and joining on a real database: what is narrower acts at once, and an offer ends at midnight."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import psycopg
import pytest
import sqlalchemy as sa

from lti_server.app import House
from lti_server.db import Door
from lti_server.errors import ContractForbids, InvalidInput, NoContract
from lti_server.privacy import contracts, districts
from lti_server.privacy.contracts import Policies, Signed
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin, Purpose
from lti_server.privacy.signing import Signing
from tests import world
from tests.clock import FakeClock
from tests.unit.privacy.contract_text import TERMS, written

NAME, GENDER = "student_name.first_and_or_last", "demographics.gender"
OFFER = {"offer": "{signed_at: 2026-08-01, clause: Exhibit E}"}
REPORT = (
    "[{audience: district, level: aggregate, dimensions: [], min_n: {value: 10, clause: H},"
    " recipients: [{name: Their office, email: office@them.example, role: data_steward}]}]"
)


LASTING = {"signed_at": "2026-08-01", "valid": "{from: 2026-08-01, to: 2035-08-01}"}


def terms(*elements: str, head: Mapping[str, str] = MappingProxyType({}), more: Mapping[str, str] | None = None) -> str:
    return written({**LASTING, **head}, elements=dict.fromkeys(elements, TERMS), **(more or {}))


def district_in(house: House, slug: str, zone: str) -> District:
    with house.database.anyone() as connection:
        return districts.create(
            connection, house.ring, slug=slug, name=slug.title(), timezone=zone, country="US", locale="en",
            slug_key=house.doors.of(Door.DISTRICT, slug), now=house.clock.now(),
        )  # fmt: skip


@pytest.fixture
def signing(house: House, clock: FakeClock) -> Signing:
    moment(clock, datetime(2026, 9, 1, tzinfo=UTC))
    return Signing(house.database, house.retain, house.journal, house.clock)


def moment(clock: FakeClock, at: datetime) -> None:
    clock.pass_s((at - clock.now()).total_seconds())


def current(house: House, owner: District) -> Signed | None:
    with house.database.tenant(owner.id) as connection:
        found = contracts.versions(connection, owner.zone, house.clock.now())
    return next((one for one in found if one.state == "in_force"), None)


def test_an_amendment_that_narrows_acts_at_once_though_its_file_says_a_later_day(
    house: House, signing: Signing
) -> None:
    owner = world.district(house, terms=terms(NAME, GENDER))
    later = {"valid": "{from: 2027-08-01, to: 2035-08-01}"}
    done = signing.amend(owner, terms(NAME, head=later), by="test")
    found = current(house, owner)
    assert found is not None
    assert (found.id, found.kind, found.state) == (done.signed.id, "amended", "in_force")
    assert found.valid_from == date(2026, 9, 1)
    assert set(found.terms.elements) == {NAME}
    assert done.narrower == (f"elements.{GENDER}", f"elements.{GENDER}.retain_days")


@pytest.mark.parametrize("more", [{"educator_elements": "[name, identifier, email]"}, OFFER])
def test_an_amendment_that_is_wider_anywhere_is_refused_and_says_where(
    house: House, signing: Signing, more: dict[str, str]
) -> None:
    owner = world.district(house, terms=terms(NAME, GENDER))
    before = current(house, owner)
    with pytest.raises(ContractForbids, match="needs a signature") as refused:
        signing.amend(owner, terms(NAME, more=more), by="test")
    assert refused.value.public["wider"]
    assert current(house, owner) == before


def test_a_signature_may_widen_and_says_so_in_the_log(house: House, signing: Signing) -> None:
    owner = world.district(house, terms=terms(NAME))
    done = signing.sign(owner, terms(NAME, GENDER), by="test")
    assert done.wider == (f"elements.{GENDER}", f"elements.{GENDER}.retain_days")
    assert current(house, owner) == done.signed


def test_without_a_contract_in_force_nothing_is_amended(house: House, signing: Signing) -> None:
    owner = world.district(house, terms=None)
    with pytest.raises(NoContract):
        signing.amend(owner, terms(NAME), by="test")
    with pytest.raises(InvalidInput):
        signing.amend(owner, "contract: 1", by="test")


def test_a_contract_does_not_hold_before_it_was_signed(house: House, signing: Signing, clock: FakeClock) -> None:
    head = {"signed_at": "2026-09-03", "valid": "{from: 2026-08-01, to: 2035-08-01}"}
    owner = world.district(house, terms=terms(NAME, head=head))
    assert current(house, owner) is None
    moment(clock, datetime(2026, 9, 3, tzinfo=UTC))
    assert current(house, owner) is not None
    moment(clock, datetime(2026, 9, 2, 23, 59, tzinfo=UTC))  # a clock that was set back
    assert current(house, owner) is None


def test_a_district_joins_the_terms_of_another_as_a_contract_of_its_own(house: House, signing: Signing) -> None:
    purposes = TERMS.replace("[instruction]", "[instruction, progress_reporting]")
    text = written(
        {"signed_at": "2026-08-01", "valid": "{from: 2026-08-01, to: 2035-08-01}"}, elements={NAME: purposes},
        reports=REPORT, **OFFER,
    )  # fmt: skip
    offering = world.district(house, "south", terms=text)
    owner = world.district(house, terms=None)
    done = signing.join(owner, offering, by="test")
    theirs, mine = current(house, offering), current(house, owner)
    assert theirs is not None
    assert mine == done.signed
    assert (mine.kind, mine.parent) == ("joined", theirs.id)
    assert mine.terms.elements == theirs.terms.elements
    assert "them.example" not in mine.document
    with house.database.tenant(owner.id) as connection:
        pointed = connection.execute(sa.text("SELECT parent_policy_hash FROM contract")).scalar_one()
        policy = Policies().of(connection, mine.id)
    assert pointed == theirs.policy_hash
    assert policy.keeps(NAME, Purpose.INSTRUCTION, Origin.SCHOOL)


def test_an_offer_is_not_taken_up_before_its_day(house: House, signing: Signing, clock: FakeClock) -> None:
    early = {"offer": "{signed_at: 2026-09-03, clause: Exhibit E}"}
    offering = world.district(house, "south", terms=terms(NAME, more=early))
    owner = district_in(house, "west", "Pacific/Honolulu")
    with pytest.raises(ContractForbids, match="begins on 2026-09-03"):
        signing.join(owner, offering, by="test")
    moment(clock, datetime(2026, 9, 2, 10, tzinfo=UTC))  # in Kiritimati the third has begun
    assert signing.join(owner, offering, by="test").signed.kind == "joined"


def test_what_is_not_offered_cannot_be_joined(house: House, signing: Signing) -> None:
    offering, owner = world.district(house, "south", terms=terms(NAME)), world.district(house, terms=None)
    with pytest.raises(ContractForbids, match="not offered"):
        signing.join(owner, offering, by="test")
    with pytest.raises(NoContract):
        signing.join(offering, owner, by="test")


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati", "Europe/Paris"])
def test_an_offer_ends_at_midnight_after_three_years_in_the_joining_districts_time_zone(
    house: House, signing: Signing, clock: FakeClock, zone: str
) -> None:
    offering = world.district(house, "south", terms=terms(NAME, more=OFFER))
    first, second = district_in(house, "first", zone), district_in(house, "second", zone)
    ends = datetime(2029, 8, 2, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    moment(clock, ends - timedelta(seconds=1))
    assert signing.join(first, offering, by="test").signed.kind == "joined"
    moment(clock, ends)
    with pytest.raises(ContractForbids, match="ended with 2029-08-01"):
        signing.join(second, offering, by="test")
    assert current(house, second) is None


def test_a_contract_may_offer_for_fewer_years_and_not_for_more(
    house: House, signing: Signing, clock: FakeClock
) -> None:
    fewer = world.district(
        house, "fewer", terms=terms(NAME, more={**OFFER, "limits": "{offer_years: {value: 1, clause: Exhibit H}}"})
    )
    more = world.district(
        house, "more", terms=terms(NAME, more={**OFFER, "limits": "{offer_years: {value: 9, clause: Exhibit H}}"})
    )
    owner = world.district(house, terms=None)
    moment(clock, datetime(2027, 8, 2, tzinfo=UTC))
    with pytest.raises(ContractForbids, match="2027-08-01"):
        signing.join(owner, fewer, by="test")
    moment(clock, datetime(2029, 8, 2, tzinfo=UTC))
    with pytest.raises(ContractForbids, match="2029-08-01"):
        signing.join(owner, more, by="test")


def test_an_offer_of_a_leap_day_ends_with_february(house: House, signing: Signing, clock: FakeClock) -> None:
    head = {"signed_at": "2028-02-29", "valid": "{from: 2026-08-01, to: 2035-08-01}"}
    moment(clock, datetime(2028, 3, 1, tzinfo=UTC))
    leap = {"offer": "{signed_at: 2028-02-29, clause: Exhibit E}"}
    offering, owner = world.district(house, "south", terms=terms(NAME, head=head, more=leap)), world.district(house)
    moment(clock, datetime(2031, 3, 1, tzinfo=UTC))
    with pytest.raises(ContractForbids, match="2031-02-28"):
        signing.join(owner, offering, by="test")


def test_a_stored_contract_that_cannot_be_read_any_more_allows_nothing(house: House, signing: Signing) -> None:
    owner = world.district(house, terms=terms(NAME))
    found = current(house, owner)
    assert found is not None
    with psycopg.connect(house.database.url, autocommit=True) as owner_of_all:
        owner_of_all.execute("UPDATE contract SET document = replace(document, '400', '\"400\"')")
    with house.database.tenant(owner.id) as connection, pytest.raises(NoContract, match="cannot be read"):
        Policies().of(connection, found.id)
