"""What happens by when after a revocation: each step is done by the time that its receipt names.

The steps are those of a revocable grant: refused at once, ended within a minute, given back within a day, kept apart,
and disposed of on the contract's day. Whoever revokes dies right after the first phase here, every time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.accounts.store import fields_of
from lti_server.app import House, run_worker
from lti_server.errors import GrantRevoked
from lti_server.ids import GrantId, PersonId
from lti_server.privacy import grant_view
from lti_server.privacy.districts import District
from lti_server.privacy.grant_view import GrantView
from lti_server.privacy.reading import of_own_data
from lti_server.privacy.rights import Asked
from lti_server.privacy.timetable import Step, StepName
from lti_server.providers.connections import OutboundLimits
from tests import world
from tests.clock import FakeClock
from tests.functional.disposition_days import DAY_S, district
from tests.functional.test_inspector import signed_in
from tests.functional.test_progress import attempt, post, token_of
from tests.peers.bare_platform import Platform

__all__ = ["district"]


@pytest.fixture
def token(client: FlaskClient, house: House, district: District, platform: Platform) -> str:
    """Of a pupil who has opened a lesson."""
    return token_of(client, platform, house)


@pytest.fixture
def grant_id(house: House, district: District, token: str) -> GrantId:
    """Of a revocation that has begun, and whose beginner is gone."""
    (registered,) = house.registrations.every(district.id)
    house.grants.withdraw.begin(district.id, registered.grant_id, by="test", reason="over")
    return registered.grant_id


def shown(house: House, district: District, grant_id: GrantId) -> GrantView:
    with house.database.tenant(district.id) as connection:
        return grant_view.view(connection, grant_id, house.grants.population)


def steps(house: House, district: District, grant_id: GrantId) -> dict[StepName, Step]:
    return {one.name: one for one in shown(house, district, grant_id).receipts[0].steps}


def one(house: House, district: District, query: str) -> Any:
    with house.database.tenant(district.id) as connection:
        return connection.execute(sa.text(query)).scalar_one()


def ended(house: House, district: District, grant_id: GrantId) -> datetime:
    """The acknowledgement, by a worker alone, to whose own clock the time of its job has come."""
    with house.database.anyone() as connection:
        connection.execute(sa.text("UPDATE procrastinate_jobs SET scheduled_at = NULL"))
    run_worker(house, until_idle=True)
    done = steps(house, district, grant_id)[StepName.ENDED].done_at
    assert done is not None
    return done


def test_in_the_same_moment_every_way_in_and_out_is_refused(
    house: House, district: District, app: Flask, platform: Platform, token: str, grant_id: GrantId
) -> None:
    """The clock stands still: the first phase alone refuses, before anything was ended."""
    view = shown(house, district, grant_id)
    assert (view.state, view.epoch) == ("revoking", 2)
    browser = app.test_client()
    assert world.launch(browser, platform, house, sub="pupil-2").status_code == 403
    assert post(browser, token, attempt(house)).status_code in (401, 403)
    renewed = browser.post("/api/v1/token/renew", headers={"Authorization": f"Bearer {token}"})
    assert renewed.status_code in (401, 403)
    for epoch in (1, 2):
        with pytest.raises(GrantRevoked), house.grants.fence.holding(district.id, grant_id, epoch):
            pytest.fail("a page went out")
    assert one(house, district, "SELECT count(*) FROM progress_event") == 0


def test_a_page_in_flight_is_cut_before_thirty_seconds() -> None:
    assert OutboundLimits().total_s < 30


def test_within_the_minute_everything_is_ended_though_whoever_revoked_died(
    house: House, district: District, grant_id: GrantId, clock: FakeClock
) -> None:
    begun = clock.now()
    step = steps(house, district, grant_id)[StepName.ENDED]
    assert (step.due_at, step.done_at) == (begun + timedelta(seconds=60), None)
    clock.pass_s(59)
    assert ended(house, district, grant_id) <= step.due_at
    view = shown(house, district, grant_id)
    assert (view.state, view.in_flight) == ("revoked", 0)
    counts = {name for part in view.receipts[0].parts for name, count in part.did.items() if count}
    assert {"sessions", "lesson_tokens", "identities"} <= counts
    for left in ("session WHERE ended_at IS NULL AND person_id IS NOT NULL", "service_token"):
        assert one(house, district, f"SELECT count(*) FROM {left}") == 0


def test_until_its_day_what_is_left_is_shown_to_nobody_and_given_back_to_the_district_alone(
    house: House, district: District, grant_id: GrantId, app: Flask, clock: FakeClock
) -> None:
    ended(house, district, grant_id)
    clock.pass_s(59 * DAY_S)
    house.sweep()
    person = PersonId(one(house, district, "SELECT id FROM person"))
    with house.database.tenant(district.id) as connection:
        assert fields_of(connection, district.keys, [person], of_own_data()) == {}
    assert one(house, district, "SELECT count(*) FROM person_field WHERE ciphertext IS NOT NULL") > 0
    asked = Asked(by="test", act="disposition return", reason="The district asked for its data back.")
    assert "Amina" in str(house.rights.rights.export(district.id, person, asked))


def test_on_the_contracts_day_it_is_disposed_of_with_a_certificate_though_nobody_asked(
    house: House, district: District, grant_id: GrantId, app: Flask, clock: FakeClock
) -> None:
    acknowledged = ended(house, district, grant_id)
    step = steps(house, district, grant_id)[StepName.DISPOSED]
    day = acknowledged.date() + timedelta(days=60)
    assert step.due_at == datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC")) + timedelta(days=1)
    clock.pass_s((step.due_at - clock.now()).total_seconds() - 1)
    assert not steps(house, district, grant_id)[StepName.DISPOSED].overdue(clock.now())
    house.sweep()
    done = steps(house, district, grant_id)[StepName.DISPOSED]
    assert done.done_at is not None
    assert done.done_at <= done.due_at
    assert shown(house, district, grant_id).state == "disposed"
    assert one(house, district, "SELECT count(*) FROM person WHERE wrapped_key IS NOT NULL") == 0
    staff = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    made = one(house, district, "SELECT id FROM disposition")
    assert staff.get(f"/district/dispositions/{made}/certificate").get_json()["document"]["body"]["days"] == 60
    assert "overdue" not in staff.get(f"/district/connections/{grant_id}").text


def test_a_disposal_that_nobody_did_is_overdue_from_the_next_day_on(
    house: House, district: District, grant_id: GrantId, app: Flask, clock: FakeClock
) -> None:
    ended(house, district, grant_id)
    step = steps(house, district, grant_id)[StepName.DISPOSED]
    clock.pass_s((step.due_at - clock.now()).total_seconds() + 1)
    staff = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    assert "overdue" in staff.get(f"/district/connections/{grant_id}").text
    with house.database.tenant(district.id) as connection:
        assert [step.name for _, step in grant_view.overdue(connection, clock.now())] == [StepName.DISPOSED]
    house.sweep()
    with house.database.tenant(district.id) as connection:
        assert grant_view.overdue(connection, clock.now()) == []
    assert steps(house, district, grant_id)[StepName.DISPOSED].late
