"""Giving tokens back to their provider: tried again and again, wiped on success, and at the latest after a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from lti_server.app import House
from lti_server.ids import GrantId
from lti_server.privacy import grant_view
from lti_server.privacy.districts import District
from lti_server.privacy.grant_receipt import receipt_file
from lti_server.privacy.grants import open_grant
from lti_server.privacy.participants import Done
from lti_server.privacy.signed_documents import checked, public_keys
from lti_server.privacy.timetable import Step, StepName
from lti_server.privacy.upstream import GiveBack
from lti_server.providers.errors import RejectedCredentials, Unavailable
from lti_server.providers.records import SourceToken, TokenKind
from tests import world
from tests.clock import FakeClock

TOKEN = SourceToken(value="refresh-token-of-the-school", kind=TokenKind.REFRESH)
DAY_S = 86_400


@dataclass
class Provider:
    """Takes tokens back; first it fails as it is told to."""

    failures: list[Exception] = field(default_factory=list)
    asked: list[SourceToken] = field(default_factory=list)

    def revoke(self, token: SourceToken) -> None:
        self.asked.append(token)
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class Kept:
    """A revoked grant with one token to give back."""

    house: House
    district: District
    grant_id: GrantId
    provider: Provider
    giving: GiveBack

    def row(self) -> Any:
        with self.house.database.tenant(self.district.id) as connection:
            return connection.execute(sa.text("SELECT * FROM upstream_revocation")).one()

    def run(self) -> None:
        self.giving.run_job(str(self.district.id), str(self.row().id))

    def waits(self) -> timedelta:
        """How far ahead the waiting job is; it is taken away, as a worker takes it."""
        statement = sa.text(
            "DELETE FROM procrastinate_jobs WHERE task_name = 'grants.give_back' RETURNING scheduled_at"
        )
        with self.house.database.anyone() as connection:
            (at,) = connection.execute(statement).scalars().all()
        found: timedelta = at - self.house.clock.now()
        return found

    def told(self) -> dict[str, int]:
        with self.house.database.tenant(self.district.id) as connection:
            view = grant_view.view(connection, self.grant_id, self.house.grants.population)
        return view.receipts[0].upstream


@pytest.fixture
def kept(house: House) -> Kept:
    district = world.district(house)
    with house.database.tenant(district.id) as connection:
        grant_id = open_grant(connection, district.id, "google", house.clock.now())
    begun: UUID = house.grants.withdraw.begin(district.id, grant_id, by="test", reason="over")
    assert house.grants.withdraw.finish(district.id, grant_id)
    provider = Provider()
    giving = GiveBack(
        database=house.database, district=house.entered, revoker_of=lambda *_: provider, queue=house.queue,
        clock=house.clock,
    )  # fmt: skip
    with house.database.tenant(district.id) as connection:
        giving.keep(connection, district, begun, Done(counts={}, upstream=(TOKEN,)))
    return Kept(house, district, grant_id, provider, giving)


def test_it_waits_sealed_and_is_wiped_once_the_provider_has_taken_it(kept: Kept) -> None:
    before = kept.row()
    assert TOKEN.value.encode() not in bytes(before.sealed)
    assert kept.told() == {"waiting": 1}
    kept.run()
    after = kept.row()
    assert kept.provider.asked == [TOKEN]
    assert (after.state, after.sealed) == ("done", None)
    assert after.settled_at is not None
    assert kept.told() == {"done": 1}
    with kept.house.database.tenant(kept.district.id) as connection:
        acts = connection.execute(sa.text("SELECT count(*) FROM log_entry WHERE act = 'token given back'"))
        assert acts.scalar_one() == 1


def test_a_second_run_asks_nobody(kept: Kept) -> None:
    kept.run()
    kept.run()
    assert len(kept.provider.asked) == 1


def test_a_provider_that_fails_is_asked_again_later_and_later(kept: Kept) -> None:
    kept.provider.failures = [Unavailable("away"), RejectedCredentials("no"), KeyError("a bug of the plugin")]
    kept.waits()
    waits = []
    for _ in range(3):
        kept.run()
        assert kept.row().sealed is not None
        waits.append(kept.waits())
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert kept.row().attempts == 3
    kept.run()
    assert (kept.row().state, kept.row().sealed) == ("done", None)


def test_no_wait_is_longer_than_two_hours(kept: Kept) -> None:
    kept.provider.failures = [Unavailable("away") for _ in range(20)]
    kept.waits()
    for _ in range(20):
        kept.run()
        assert kept.waits() <= timedelta(hours=2)


def test_after_a_day_it_is_wiped_whatever_the_provider_did(kept: Kept, clock: FakeClock) -> None:
    kept.provider.failures = [Unavailable("away")]
    kept.run()
    clock.pass_s(DAY_S)
    kept.run()
    assert (kept.row().state, kept.row().sealed) == ("given_up", None)
    assert len(kept.provider.asked) == 1
    assert kept.told() == {"given_up": 1}


def test_there_is_one_receipt_until_the_last_token_is_settled_and_one_more_from_then_on(
    kept: Kept, clock: FakeClock
) -> None:
    with kept.house.database.tenant(kept.district.id) as connection:
        (revocation,) = grant_view.view(connection, kept.grant_id, kept.house.grants.population).receipts
        kept.giving.keep(connection, kept.district, revocation.id, Done(counts={}, upstream=(TOKEN,)))

    def file() -> bytes:
        with kept.house.database.tenant(kept.district.id) as connection:
            grant = grant_view.view(connection, kept.grant_id, kept.house.grants.population)
            return receipt_file(connection, kept.house.document_keys, kept.district.id, grant, revocation.id)

    def settle_next() -> None:
        with kept.house.database.tenant(kept.district.id) as connection:
            waiting = sa.text("SELECT id FROM upstream_revocation WHERE state = 'waiting' LIMIT 1")
            token_id = connection.execute(waiting).scalar_one()
        clock.pass_s(60)
        kept.giving.run_job(str(kept.district.id), str(token_id))

    first = file()
    settle_next()
    assert file() == first
    settle_next()
    second = file()
    told = [checked(one, public_keys(kept.house.document_keys.public_jwks())) for one in (first, second)]
    assert [one.body["upstream"] for one in told] == [{"waiting": 2}, {"done": 2}]
    assert [one.issued_at for one in told] == [revocation.acknowledged_at, clock.now()]
    clock.pass_s(DAY_S)
    kept.house.sweep()
    assert file() == second


def test_the_receipt_names_the_day_by_which_it_is_given_back_and_it_is_gone_by_then(
    kept: Kept, clock: FakeClock
) -> None:
    def step() -> Step:
        with kept.house.database.tenant(kept.district.id) as connection:
            (receipt,) = grant_view.view(connection, kept.grant_id, kept.house.grants.population).receipts
        (found,) = (one for one in receipt.steps if one.name is StepName.GIVEN_BACK)
        return found

    waiting = step()
    assert (waiting.due_at, waiting.done_at) == (clock.now() + timedelta(days=1), None)
    kept.provider.failures = [Unavailable("away") for _ in range(9)]
    kept.run()
    clock.pass_s(DAY_S)
    assert not step().overdue(clock.now())
    kept.house.sweep()
    done = step()
    assert done.done_at == waiting.due_at
    assert not done.late
    assert kept.row().sealed is None


def test_the_sweep_wipes_it_after_a_day_though_no_job_runs(kept: Kept, clock: FakeClock) -> None:
    clock.pass_s(DAY_S - 60)
    kept.house.sweep()
    assert kept.row().sealed is not None
    clock.pass_s(60)
    kept.house.sweep()
    assert (kept.row().state, kept.row().sealed) == ("given_up", None)
    assert kept.provider.asked == []
