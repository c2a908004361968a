"""The contract of who registered themselves follows the notice by itself; what is kept goes after the last sign-in."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from lti_server import worker
from lti_server.accounts import renewing
from lti_server.accounts.registering import Desk
from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.errors import ContractForbids
from lti_server.ids import PersonId
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy import contracts, new_use, notices, own_terms
from lti_server.privacy.model import Purpose
from lti_server.privacy.own_terms import Notice
from lti_server.tasks import Round
from tests.clock import FakeClock
from tests.functional.sign_in.own_door import ADA, app, browser, code_in, count, desk, house, peer, post, registered
from tests.peers.smtp import MailServer

__all__ = ["app", "browser", "desk", "house", "peer"]
DAY_S = 86_400
INSTRUCTION = frozenset({Purpose.INSTRUCTION})


def announced(house: House, purposes: frozenset[Purpose], *, days: int = 30) -> date:
    with house.database.anyone() as connection:
        now = house.clock.now()
        acts_on = now.date() + timedelta(days=days)
        notices.announce(
            connection, acts_on=acts_on, material=True, purposes=purposes, summary_en="x", summary_fr="x", now=now
        )
        return acts_on


def renewed(house: House) -> list[str]:
    (only,) = OwnDoorHouse(house).rounds
    assert only.task == renewing.TASK
    found = only.work()
    assert isinstance(found, list)
    return found


def test_a_worker_goes_the_round(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Sequence[Round]] = []

    class Idle:
        def __init__(self, *parts: object) -> None:
            given.extend(one for one in parts if isinstance(one, tuple))

        def run(self, **how: object) -> None:
            """There is nothing to do."""

    monkeypatch.setattr(worker, "Worker", Idle)
    worker.run_worker(house, until_idle=True)
    assert renewing.TASK in {one.task for rounds in given for one in rounds}


def terms_of(house: House, country: str = "US") -> Desk:
    found = OwnDoorHouse(house).registering.of(country)
    assert found is not None
    return found


def signatures(house: House, desk: Desk) -> Sequence[contracts.Signed]:
    with house.database.tenant(desk.district.id) as connection:
        return contracts.versions(connection, desk.district.zone, house.clock.now())


def test_a_new_notice_is_the_contract_of_every_country_on_its_day_and_no_earlier(
    house: House, desk: Desk, clock: FakeClock
) -> None:
    OwnDoorHouse(house).registering.enable("FR", by="test")
    announced(house, INSTRUCTION)
    assert renewed(house) == []
    clock.pass_s(30 * DAY_S)
    assert (terms_of(house).terms, terms_of(house, "FR").terms) == (1, 1)
    assert renewed(house) == ["FR", "US"]
    assert (terms_of(house).terms, terms_of(house, "FR").terms) == (2, 2)
    assert renewed(house) == [], "again it changes nothing"
    assert [one.signed_by for one in signatures(house, desk)] == ["notice", "test"]
    assert count(house, desk, "log_entry WHERE act = 'contract sign' AND actor = 'notice'") == 1


def test_a_use_that_a_new_notice_names_is_none_of_their_data(
    browser: FlaskClient, peer: MailServer, house: House, desk: Desk, clock: FakeClock
) -> None:
    """A-57: their terms are for instruction alone, so a renewed contract is no wider."""
    registered(browser, peer)
    announced(house, frozenset(Purpose))
    clock.pass_s(30 * DAY_S)
    assert renewed(house) == ["US"]
    assert len(read(house, desk, Purpose.INSTRUCTION)) == 1
    with pytest.raises(ContractForbids):
        read(house, desk, Purpose.EVALUATION)
    after, before = (one.terms for one in signatures(house, desk))
    assert (after.purposes, after.elements) == (before.purposes, before.elements)


def test_a_notice_without_instruction_is_no_contract_and_nothing_is_read_for_it(
    browser: FlaskClient, peer: MailServer, house: House, desk: Desk, clock: FakeClock
) -> None:
    registered(browser, peer)
    announced(house, frozenset({Purpose.EVALUATION}))
    clock.pass_s(30 * DAY_S)
    assert renewed(house) == []
    assert terms_of(house).terms == 1
    for purpose in Purpose:
        with pytest.raises(ContractForbids):
            read(house, desk, purpose)


def read(house: House, desk: Desk, purpose: Purpose) -> Sized:
    """What may be read of everybody for a purpose, now."""
    with house.database.tenant(desk.district.id) as connection:
        people = [PersonId(one) for one in connection.execute(sa.text("SELECT id FROM person")).scalars()]
        reading = new_use.reading_for(connection, desk.district.zone, purpose, house.clock.now())
        return fields_of(connection, desk.district.keys, people, reading)


def test_a_contract_that_somebody_signed_is_left_alone(house: House, desk: Desk, clock: FakeClock) -> None:
    text = own_terms.own_contract(Notice(version=1, purposes=INSTRUCTION), house.clock.now().date())
    OwnDoorHouse(house)._signing().sign(desk.district, text.partition("\n")[2], by="somebody")
    announced(house, INSTRUCTION)
    clock.pass_s(30 * DAY_S)
    assert renewed(house) == []
    assert signatures(house, desk)[0].signed_by == "somebody"


def test_a_contract_is_made_anew_before_its_last_day(house: House, desk: Desk, clock: FakeClock) -> None:
    ends = terms_of(house).valid_to
    assert ends is not None
    clock.pass_s((ends - house.clock.now().date() - renewing.AHEAD - timedelta(days=2)).days * DAY_S)
    assert renewed(house) == []
    clock.pass_s(3 * DAY_S)
    assert renewed(house) == ["US"]
    again = terms_of(house)
    assert again.valid_to is not None
    assert again.valid_to > ends
    assert (again.terms, again.providers) == (1, desk.providers)


@given(terms=st.integers(0, 5), acting=st.integers(1, 5), left=st.integers(-5, 400))
def test_what_is_due_is_of_an_older_notice_or_soon_over(terms: int, acting: int, left: int) -> None:
    today = date(2026, 8, 31)
    desk = Desk(
        country="US", district=None, open=True, terms=terms, valid_to=today + timedelta(days=left),  # type: ignore[arg-type]  # a rule of the others alone
        providers=frozenset(),
    )  # fmt: skip
    found = renewing.due(desk, Notice(version=acting, purposes=INSTRUCTION), today)
    assert found is (0 < terms <= acting and (terms < acting or left <= renewing.AHEAD.days))


def kept(house: House, desk: Desk) -> set[str]:
    with house.database.tenant(desk.district.id) as connection:
        house.retain(connection, desk.district)
        return set(connection.execute(sa.text("SELECT field FROM person_field")).scalars())


@pytest.mark.parametrize("years", [9, 30])
def test_name_and_address_stay_while_somebody_comes_and_go_after_the_last_sign_in(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk, clock: FakeClock, years: int
) -> None:
    registered(browser, peer, years)
    everything = kept(house, desk)
    assert {"nickname", "email"} <= everything
    for _ in range(3):
        clock.pass_s(300 * DAY_S)
        one = app.test_client()
        post(one, "/signin/email", address=ADA)
        assert post(one, "/signin/code", code=code_in(peer)).headers["Location"] == "/learn"
        assert kept(house, desk) == everything
    clock.pass_s((own_terms.DAYS - 2) * DAY_S)
    assert kept(house, desk) == everything
    clock.pass_s(3 * DAY_S)
    assert kept(house, desk) == set()


def test_the_day_of_the_last_sign_in_is_all_that_is_kept_of_it_and_says_not_when_something_was_learnt(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk, clock: FakeClock
) -> None:
    registered(browser, peer)
    begun = house.clock.now()
    clock.pass_s(20 * DAY_S)
    one = app.test_client()
    post(one, "/signin/email", address=ADA)
    post(one, "/signin/code", code=code_in(peer))
    with house.database.tenant(desk.district.id) as connection:
        seen = connection.execute(sa.text("SELECT seen_on FROM identity")).scalar_one()
        learnt = set(connection.execute(sa.text("SELECT collected_at FROM person_field")).scalars())
    assert seen == house.clock.now().astimezone(desk.district.zone).date()
    assert learnt == {begun}, "by it a new use of old data is found (A-57)"
