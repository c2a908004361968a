"""Two phases: nothing new from the first on, an acknowledgement that waits for what is in flight, receipts of both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from lti_server.accounts.store import fields_of
from lti_server.accounts.ways_in import losing
from lti_server.app import House, run_worker
from lti_server.errors import Conflict, GrantRevoked
from lti_server.ids import GrantId, SectionId, new_id
from lti_server.lti.registrations import Registered
from lti_server.lti.tokens import service_of
from lti_server.privacy import grant_view, grants
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import GrantState, Use
from lti_server.privacy.reading import of_own_data
from lti_server.roster.model import RunState
from tests.clock import FakeClock
from tests.integration.roster.test_sync import a_class
from tests.peers.member_list import NRPS_SCOPE, MemberList


@pytest.fixture(autouse=True)
def _a_class(peer: MemberList) -> None:
    peer.courses["course-1"] = a_class(3)


def asked(peer: MemberList) -> int:
    """How often the LMS was asked for anything."""
    return peer.pages_read + len(peer.assertions)


def revoke(house: House, district: District, grant_id: GrantId, **more: Any) -> bool:
    house.grants.withdraw.begin(district.id, grant_id, by="test", reason="the school has left", **more)
    return house.grants.withdraw.finish(district.id, grant_id, patience_s=5)


def shown(house: House, district: District, grant_id: GrantId) -> grant_view.GrantView:
    with house.database.tenant(district.id) as connection:
        return grant_view.view(connection, grant_id, house.grants.population)


def did(house: House, district: District, grant_id: GrantId) -> dict[str, int]:
    """Every count of the last receipt, by `participant.what`."""
    last = shown(house, district, grant_id).receipts[-1]
    return {f"{part.participant}.{name}": count for part in last.parts for name, count in part.did.items()}


def count(house: House, district: District, table: str, where: str = "true") -> int:
    with house.database.tenant(district.id) as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())


@contextmanager
def in_flight(house: House, district: District, grant_id: GrantId) -> Iterator[Callable[[], None]]:
    """A page that is being read until the test lets it end."""
    held, end = threading.Event(), threading.Event()

    def read() -> None:
        with house.grants.fence.holding(district.id, grant_id, 1):
            held.set()
            end.wait(30)

    reader = threading.Thread(target=read)
    reader.start()
    assert held.wait(10)
    try:
        yield end.set
    finally:
        end.set()
        reader.join(10)


def test_the_first_phase_refuses_everything_new(house: House, district: District, platform: Registered) -> None:
    house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="left")
    with pytest.raises(GrantRevoked), house.grants.fence.holding(district.id, platform.grant_id, 1):
        pytest.fail("a page went out")
    with pytest.raises(GrantRevoked), house.grants.fence.holding(district.id, platform.grant_id, 2):
        pytest.fail("a page went out")
    with pytest.raises(GrantRevoked), house.database.tenant(district.id) as connection:
        service_of(connection, district, platform.grant_id)
    view = shown(house, district, platform.grant_id)
    assert (view.state, view.epoch) == ("revoking", 2)


def test_the_acknowledgement_waits_for_what_is_in_flight_and_says_so(
    house: House, district: District, platform: Registered
) -> None:
    told: list[int] = []
    with in_flight(house, district, platform.grant_id) as end:
        house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="left")
        assert shown(house, district, platform.grant_id).in_flight == 1
        assert not house.grants.withdraw.finish(district.id, platform.grant_id, patience_s=0, on_wait=told.append)
        assert told == [1]
        assert shown(house, district, platform.grant_id).receipts[0].acknowledged_at is None
        end()
    assert house.grants.withdraw.finish(district.id, platform.grant_id, patience_s=5)
    view = shown(house, district, platform.grant_id)
    assert (view.state, view.in_flight) == ("revoked", 0)
    assert view.receipts[0].acknowledged_at is not None


def test_what_was_read_while_it_was_withdrawn_is_thrown_away(
    house: House,
    district: District,
    platform: Registered,
    section: SectionId,
    peer: MemberList,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page is answered after the first phase: its token and its members are kept by nobody."""
    answer = peer.members

    def members(course: str, query: dict[str, str], token: str | None) -> tuple[int, dict[str, Any], str]:
        house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="left")
        return answer(course, query, token)

    monkeypatch.setattr(peer, "members", members)
    outcome = house.sync_roster()(district)
    assert outcome.state is RunState.FAILED
    assert revoke(house, district, platform.grant_id)
    assert peer.pages_read == 1
    for table in ("person", "membership", "service_token", "identity"):
        assert count(house, district, table) == 0


def test_a_revoked_lms_is_asked_for_nothing(
    house: House, district: District, platform: Registered, section: SectionId, peer: MemberList
) -> None:
    assert house.sync_roster()(district).state is RunState.APPLIED
    with house.database.tenant(district.id) as connection:
        service = service_of(connection, district, platform.grant_id)
    before = asked(peer)
    assert revoke(house, district, platform.grant_id)
    with pytest.raises(GrantRevoked):
        house.service_tokens.bearer(service, [NRPS_SCOPE])
    assert asked(peer) == before


def test_participants_end_cancel_and_wipe_and_say_how_much(
    house: House, district: District, platform: Registered, section: SectionId
) -> None:
    assert house.sync_roster()(district).state is RunState.APPLIED
    with house.database.tenant(district.id) as connection:
        house.queue.defer(connection, "roster.sync_section", district_id=str(district.id), section_id=str(section))
    members = count(house, district, "membership", "ended_at IS NULL")
    assert members
    assert revoke(house, district, platform.grant_id)
    found = did(house, district, platform.grant_id)
    assert found["roster.memberships"] == members
    assert found["roster.jobs"] == found["lti.service_tokens"] == found["lti.registrations"] == 1
    assert found["roster.sections"] == 1
    assert count(house, district, "membership", "ended_at IS NULL") == 0
    assert count(house, district, "service_token") == 0


def test_data_of_a_withdrawn_grant_is_in_quarantine(
    house: House, district: District, platform: Registered, section: SectionId
) -> None:
    house.sync_roster()(district)
    with house.database.tenant(district.id) as connection:
        people = list(connection.execute(sa.text("SELECT id FROM person")).scalars())
        assert any(fields_of(connection, district.keys, people, of_own_data()).values())
    assert revoke(house, district, platform.grant_id)
    with house.database.tenant(district.id) as connection:
        assert fields_of(connection, district.keys, people, of_own_data()) == {}
    assert count(house, district, "person_field") > 0


def test_what_another_grant_supports_stays(
    house: House, district: District, platform: Registered, section: SectionId, peer: MemberList
) -> None:
    house.sync_roster()(district)
    with house.database.tenant(district.id) as connection:
        other = grants.open_grant(connection, district.id, "oneroster", house.clock.now())
        connection.execute(sa.text("UPDATE membership SET grant_id = :other WHERE role = 'teacher'"), {"other": other})
    teachers = count(house, district, "membership", "role = 'teacher'")
    assert teachers
    assert revoke(house, district, platform.grant_id)
    assert count(house, district, "membership", "ended_at IS NULL") == teachers
    assert count(house, district, "section", "archived_at IS NULL") == 1


def test_revoking_again_changes_nothing_more(house: House, district: District, platform: Registered) -> None:
    assert revoke(house, district, platform.grant_id)
    before = shown(house, district, platform.grant_id)
    assert revoke(house, district, platform.grant_id)
    assert shown(house, district, platform.grant_id) == before


def test_a_revoker_that_died_is_resumed_by_a_job(
    house: House, district: District, platform: Registered, section: SectionId
) -> None:
    house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="left")
    house.handlers()["grants.finish"](str(district.id), str(platform.grant_id))
    assert shown(house, district, platform.grant_id).state == "revoked"


def test_a_revoker_that_died_without_a_job_is_found_by_the_sweep(
    house: House, district: District, platform: Registered, clock: FakeClock
) -> None:
    house.registrations.remove(platform.id)
    clock.pass_s(60)
    house.sweep()
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE procrastinate_jobs SET scheduled_at = NULL"))
    run_worker(house, concurrency=1, until_idle=True)
    assert shown(house, district, platform.grant_id).state == "revoked"


def test_suspending_freezes_and_resuming_goes_on(
    house: House, district: District, platform: Registered, section: SectionId
) -> None:
    house.sync_roster()(district)
    kept = count(house, district, "membership", "ended_at IS NULL")
    house.grants.withdraw.suspend(district.id, platform.grant_id, by="test", reason="an audit")
    with pytest.raises(GrantRevoked), house.grants.fence.holding(district.id, platform.grant_id, 1):
        pytest.fail("a page went out")
    assert count(house, district, "membership", "ended_at IS NULL") == kept
    assert count(house, district, "service_token") == 1
    house.grants.withdraw.resume(district.id, platform.grant_id, by="test")
    with house.grants.fence.holding(district.id, platform.grant_id, 1):
        assert shown(house, district, platform.grant_id).state == GrantState.ACTIVE


def test_a_revoked_grant_is_not_resumed(house: House, district: District, platform: Registered) -> None:
    assert revoke(house, district, platform.grant_id)
    with pytest.raises(Conflict):
        house.grants.withdraw.resume(district.id, platform.grant_id, by="test")


def test_withdrawing_the_roster_alone_leaves_the_way_in(
    house: House, district: District, platform: Registered, section: SectionId, peer: MemberList
) -> None:
    house.sync_roster()(district)
    assert revoke(house, district, platform.grant_id, uses=frozenset({Use.ROSTER}))
    view = shown(house, district, platform.grant_id)
    assert (view.state, view.uses, view.epoch) == ("active", ("signin",), 2)
    assert count(house, district, "membership", "ended_at IS NULL") == 0
    assert count(house, district, "identity", "ended_at IS NULL") > 0
    before = asked(peer)
    with pytest.raises(Exception, match="no LMS in force"):
        house.sync_roster()(district)
    with pytest.raises(GrantRevoked), house.grants.fence.holding(district.id, platform.grant_id, 2, Use.ROSTER):
        pytest.fail("a page went out")
    with house.grants.fence.holding(district.id, platform.grant_id, 2):
        assert asked(peer) == before


def test_the_log_tells_who_revoked_and_when_it_was_acknowledged(
    house: House, district: District, platform: Registered
) -> None:
    assert revoke(house, district, platform.grant_id)
    with house.database.tenant(district.id) as connection:
        acts = connection.execute(sa.text("SELECT act, actor FROM log_entry WHERE act LIKE 'grant%' ORDER BY id")).all()
    assert [row.act for row in acts] == ["grant revoke", "grant revoked"]
    assert acts[0].actor == "test"


def test_the_reason_is_sealed(house: House, district: District, platform: Registered) -> None:
    assert revoke(house, district, platform.grant_id)
    with house.database.tenant(district.id) as connection:
        kept = bytes(connection.execute(sa.text("SELECT reason FROM revocation")).scalar_one())
    assert b"school" not in kept
    assert district.keys.open("revocation", "reason", platform.grant_id, kept) == "the school has left"


def test_who_would_lose_their_last_way_in_is_counted_before(
    house: House, district: District, platform: Registered, section: SectionId
) -> None:
    house.sync_roster()(district)
    with house.database.tenant(district.id) as connection:
        alone = losing(connection, platform.grant_id)
        assert (alone.pupils, alone.staff) == (
            connection.execute(sa.text("SELECT count(*) FILTER (WHERE kind = 'pupil'), count(*) FILTER (WHERE"
                                       " kind = 'staff') FROM person")).one()
        )  # fmt: skip
        assert alone.sections == 1
        other = grants.open_grant(connection, district.id, "google", house.clock.now())
        connection.execute(
            sa.text(
                "INSERT INTO identity (id, district_id, person_id, grant_id, provider, issuer, client_id, subject_hash,"
                " created_at) SELECT gen_random_uuid(), district_id, id, :other, 'google', 'g', 'c', id::text::bytea,"
                " created_at FROM person"
            ),
            {"other": other},
        )
        assert losing(connection, platform.grant_id).pupils == 0


def test_a_revocation_stands_in_the_journal_and_a_restore_does_it_again(
    house: House, district: District, platform: Registered
) -> None:
    house.grants.withdraw.begin(
        district.id, platform.grant_id, by="test", reason="rosters", uses=frozenset({Use.ROSTER})
    )
    house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="over")
    said = [(one.kind.value, one.said) for one in house.journal.entries()]
    assert said == [
        ("revocation", {"grant": str(platform.grant_id), "epoch": 2, "uses": ["roster"]}),
        ("revocation", {"grant": str(platform.grant_id), "epoch": 3, "uses": ["roster", "signin"]}),
    ]


def test_what_a_restored_backup_does_not_know_is_revoked_again_and_once(
    house: House, district: District, platform: Registered
) -> None:
    again, at = house.grants.again.revoked, house.clock.now()
    assert again(district.id, platform.grant_id, 2, frozenset({Use.ROSTER}), at=at)
    assert again(district.id, platform.grant_id, 3, frozenset(Use), at=at)
    assert not again(district.id, platform.grant_id, 3, frozenset(Use), at=at)
    view = shown(house, district, platform.grant_id)
    assert (view.state, view.epoch, len(view.receipts)) == ("revoked", 3, 2)
    assert not again(district.id, GrantId(new_id()), 2, frozenset(Use), at=at)


def test_removing_a_platform_stands_in_the_journal(house: House, district: District, platform: Registered) -> None:
    house.registrations.remove(platform.id)
    (entry,) = house.journal.entries()
    assert entry.said == {"grant": str(platform.grant_id), "epoch": 2, "uses": ["roster", "signin"]}
