"""A receipt says when the connection last brought something and last took something, and goes on saying that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from lti_server.ids import GrantId
from lti_server.privacy import grant_view
from lti_server.privacy.grant_view import Receipt
from lti_server.roster.model import RunState
from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import Street, street


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


def grant(on: Street) -> GrantId:
    with on.house.database.tenant(on.district.id) as connection:
        return GrantId(connection.execute(sa.text("SELECT id FROM grants")).scalar_one())


def receipt(on: Street) -> Receipt:
    with on.house.database.tenant(on.district.id) as connection:
        (found,) = grant_view.view(connection, grant(on), lambda _connection, _provider: "all").receipts
    return found


def revoked(on: Street) -> Receipt:
    on.house.grants.withdraw.begin(on.district.id, grant(on), by="test", reason="over")
    assert on.house.grants.withdraw.finish(on.district.id, grant(on))
    return receipt(on)


def test_the_last_class_list_and_the_last_score_are_those_of_the_connection(on: Street, clock: FakeClock) -> None:
    token = on.token()
    read_at = clock.now()
    assert on.house.sync_roster()(on.district).state is RunState.APPLIED
    clock.pass_s(60)
    on.save(token)
    sent_at = clock.now()
    assert on.deliver() == "delivered"
    clock.pass_s(60)
    found = revoked(on)
    assert (found.last_read_at, found.last_send_at) == (read_at, sent_at)


def test_a_connection_that_read_and_sent_nothing_says_so(on: Street) -> None:
    on.token()
    found = revoked(on)
    assert (found.last_read_at, found.last_send_at) == (None, None)


def test_a_score_that_waited_was_not_sent(on: Street) -> None:
    on.save(on.token())
    assert revoked(on).last_send_at is None


def test_what_is_settled_while_the_withdrawal_waits_is_in_the_receipt(on: Street, clock: FakeClock) -> None:
    token = on.token()
    on.save(token)
    on.house.grants.withdraw.begin(on.district.id, grant(on), by="test", reason="over")
    assert receipt(on).last_send_at is None
    sent_at: datetime = clock.now()
    with on.house.database.tenant(on.district.id) as connection:
        # As a worker does that was in flight when the withdrawal came.
        connection.exec_driver_sql("UPDATE grade_delivery SET state = 'delivered', settled_at = %s", (sent_at,))
    assert on.house.grants.withdraw.finish(on.district.id, grant(on))
    assert receipt(on).last_send_at == sent_at
