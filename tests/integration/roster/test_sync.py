"""A class read from an LMS over loopback: all of it or nothing, what the contract allows, and once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lti_server.accounts.store import Source, fields_of
from lti_server.app import House
from lti_server.db import Door, enter_by
from lti_server.errors import NoContract, NotFound
from lti_server.ids import SectionId
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from lti_server.privacy.reading import of_own_data
from lti_server.roster import store
from lti_server.roster.arrival import put_membership
from lti_server.roster.service import Outcome
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import MEMBERSHIP
from tests.peers.member_list import MemberList

Launched = Callable[[str], SectionId]


def member(number: int, **changes: Any) -> dict[str, Any]:
    found = {
        "user_id": f"user-{number}",
        "roles": [MEMBERSHIP + "Learner"],
        "status": "Active",
        "name": f"Pupil Number{number}",
        "email": f"pupil{number}@school.example",
        "lis_person_sourcedid": f"sis-{number}",
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


TEACHER = member(0, roles=[MEMBERSHIP + "Instructor"], name="Tess Teacher")


def a_class(pupils: int) -> list[dict[str, Any]]:
    return [TEACHER, *(member(i) for i in range(1, pupils + 1))]


def sync(house: House, district: District, **how: Any) -> Outcome:
    return house.sync_roster()(district, **how)


def memberships(outcome: Outcome) -> tuple[int, int, int, int]:
    found = outcome.counts.memberships
    return found.added, found.changed, found.removed, found.unchanged


def live(house: House, district: District, section: SectionId) -> dict[str, str]:
    """Names and roles of those who are in a section now."""
    with house.database.tenant(district.id) as connection:
        came = [row for row in store.members(connection, section) if row.ended_at is None]
        names = fields_of(connection, district.keys, [row.person_id for row in came], of_own_data())
    return {names.get(row.person_id, {}).get("name", str(row.person_id)): row.role for row in came}


def count(house: House, district: District, table: str, where: str = "true") -> int:
    with house.database.tenant(district.id) as connection:
        found = connection.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one()
    assert isinstance(found, int)
    return found


def test_the_whole_class_comes_page_by_page(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"], peer.page_size = a_class(11), 3
    found = sync(house, district)
    assert (found.state, memberships(found)) == ("applied", (12, 0, 0, 0))
    assert peer.pages_read == 4
    assert found.counts.people.added == 12
    assert live(house, district, section) == {"Tess Teacher": "teacher"} | {
        f"Pupil Number{i}": "pupil" for i in range(1, 12)
    }


def test_a_second_sync_changes_nothing(house: House, district: District, section: SectionId, peer: MemberList) -> None:
    peer.courses["course-1"] = a_class(5)
    sync(house, district)
    before = count(house, district, "person_field", "run_id IS NOT NULL")
    found = sync(house, district)
    assert memberships(found) == (0, 0, 0, 6)
    assert (found.counts.people.added, found.counts.people.changed, found.counts.people.unchanged) == (0, 0, 6)
    assert count(house, district, "person_field", f"run_id = '{found.run_ids[0]}'") == 0
    assert count(house, district, "person_field", "run_id IS NOT NULL") == before
    assert count(house, district, "membership") == 6


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = a_class(5)
    found = sync(house, district, dry_run=True)
    assert (found.state, memberships(found)) == ("planned", (6, 0, 0, 0))
    assert [count(house, district, table) for table in ("person", "person_field", "membership", "identity")] == [0] * 4


def test_a_page_that_fails_in_the_middle_changes_nothing(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"], peer.page_size = a_class(11), 3
    sync(house, district)
    stood = live(house, district, section)
    peer.courses["course-1"] = [TEACHER, *(member(i) for i in range(5, 30))]
    peer.refuse = {2: 500}
    found = sync(house, district)
    assert found.state == "failed"
    assert live(house, district, section) == stood
    assert count(house, district, "roster_run", "state = 'failed' AND finished_at IS NOT NULL") == 1


NEXT_LINKS = (
    '<{url}>; rel="next"',
    "<{url}>; rel=next",
    '<{url}>; title="a, b"; rel="next"',
    "<{url}>; rel=“next”",
    '<{url}>; REL="last Next"',
    '<https://lms.example/other>; rel="first", <{url}>; rel="next"',
)


@pytest.mark.parametrize(
    ("link", "complete"),
    [
        *((link, True) for link in NEXT_LINKS),
        ('<{here}>; rel="next"', False),
        ('<https://elsewhere.example/members>; rel="next"', False),
    ],
)
def test_every_form_of_the_next_link_is_followed_and_a_foreign_host_or_a_circle_is_not(
    house: House, district: District, section: SectionId, peer: MemberList, link: str, complete: bool
) -> None:
    peer.courses["course-1"], peer.page_size, peer.link = a_class(11), 5, link
    found = sync(house, district)
    assert found.state == ("applied" if complete else "failed")
    assert count(house, district, "membership") == (12 if complete else 0)


def test_a_refused_token_is_renewed_once(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = a_class(2)
    sync(house, district)
    peer.expired = {"token-1"}
    assert sync(house, district).state == "applied"
    assert peer.tokens == ["token-1", "token-2"]


def test_a_token_that_is_always_refused_ends_the_run_after_one_new_token(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"], peer.expired = a_class(2), {f"token-{i}" for i in range(1, 9)}
    assert sync(house, district).state == "failed"
    assert len(peer.tokens) == 2


def test_one_token_serves_until_shortly_before_its_end(
    house: House, district: District, launched: Launched, peer: MemberList, clock: FakeClock
) -> None:
    for name in ("course-1", "course-2"):
        launched(name)
        peer.courses[name] = a_class(2)
    sync(house, district)
    assert len(peer.tokens) == 1
    clock.pass_s(peer.expires_in - 61)
    sync(house, district)
    assert len(peer.tokens) == 1
    clock.pass_s(2)
    sync(house, district)
    assert len(peer.tokens) == 2


def test_what_the_contract_refuses_is_counted_and_stands_nowhere(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = [*a_class(3), member(9, picture="https://x.example/nine.png", email=None)]
    found = sync(house, district)
    assert found.refused == {"email": 4, "picture": 1}
    assert count(house, district, "person_field", "field NOT IN ('name', 'local_id')") == 0
    with house.database.tenant(district.id) as connection:
        run = store.run(connection, found.run_ids[0])
    assert run is not None
    assert run["refused_fields"] == found.refused
    assert "pupil1" not in str(run)


def test_a_member_who_leaves_a_large_class_is_taken_out_and_history_stays(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = a_class(30)
    sync(house, district)
    peer.courses["course-1"] = [TEACHER, *(member(i) for i in range(2, 31))]
    found = sync(house, district)
    assert (found.state, memberships(found)) == ("applied", (0, 0, 1, 30))
    assert "Pupil Number1" not in live(house, district, section)
    assert count(house, district, "membership", f"ended_by_run_id = '{found.run_ids[0]}'") == 1
    assert count(house, district, "person") == 31


def test_an_inactive_member_is_not_in_the_class(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = [*a_class(2), member(3, status="Inactive"), member(4, status="Deleted")]
    assert memberships(sync(house, district)) == (3, 0, 0, 0)


@pytest.mark.parametrize("left", [0, 1, 5])
def test_an_empty_or_much_smaller_answer_is_held_and_removes_nobody(
    house: House, district: District, section: SectionId, peer: MemberList, left: int
) -> None:
    peer.courses["course-1"] = a_class(12)
    sync(house, district)
    stood = live(house, district, section)
    peer.courses["course-1"] = a_class(12)[:left]
    found = sync(house, district)
    assert found.state == "held"
    assert [one.scope for one in found.holds] == [str(section)]
    assert live(house, district, section) == stood


def test_a_changed_role_is_one_ended_and_one_new_membership(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = a_class(3)
    sync(house, district)
    peer.courses["course-1"][1] = member(1, roles=[MEMBERSHIP + "Instructor"])
    assert memberships(sync(house, district)) == (0, 1, 0, 3)
    assert live(house, district, section)["Pupil Number1"] == "teacher"
    assert count(house, district, "membership") == 5


def test_a_changed_name_is_written_once(house: House, district: District, section: SectionId, peer: MemberList) -> None:
    peer.courses["course-1"] = a_class(3)
    sync(house, district)
    peer.courses["course-1"][1] = member(1, name="Renamed")
    assert sync(house, district).counts.people.changed == 1
    assert "Renamed" in live(house, district, section)
    assert sync(house, district).counts.people.changed == 0


def test_one_person_of_two_classes_is_one_person(
    house: House, district: District, launched: Launched, peer: MemberList
) -> None:
    for name in ("course-1", "course-2"):
        launched(name)
        peer.courses[name] = a_class(3)
    found = sync(house, district)
    assert (found.counts.people.added, memberships(found)) == (4, (8, 0, 0, 0))
    assert count(house, district, "person") == 4


def test_a_class_that_cannot_be_read_does_not_keep_the_others_waiting(
    house: House, district: District, launched: Launched, peer: MemberList
) -> None:
    one, two = launched("course-1"), launched("course-2")
    peer.courses = {"course-1": a_class(3), "course-2": [{"user_id": "no roles"}]}
    found = sync(house, district)
    assert found.state == "held"
    assert [(hold.rule, hold.scope) for hold in found.holds] == [("unreadable", str(two))]
    assert len(live(house, district, one)) == 4


def test_what_another_grant_added_stays(house: House, district: District, section: SectionId, peer: MemberList) -> None:
    peer.courses["course-1"] = a_class(3)
    sync(house, district)
    other = world.register(house, district, MemberList(client_id="other", deployment_id="d2", address=peer.address))
    with house.database.tenant(district.id) as connection:
        connection.execute(
            sa.text("UPDATE membership SET grant_id = :other WHERE role = 'pupil'"), {"other": other.grant_id}
        )
    peer.courses["course-1"] = [TEACHER]
    assert memberships(sync(house, district, section_id=section)) == (0, 0, 0, 1)
    assert len(live(house, district, section)) == 4


def test_an_observer_who_launched_stays(
    house: House, district: District, section: SectionId, platform: Registered, peer: MemberList
) -> None:
    peer.courses["course-1"] = a_class(3)
    sync(house, district)
    source = Source(grant_id=platform.grant_id, epoch=1, run_id=None, at=house.clock.now())
    with house.database.tenant(district.id) as connection:
        person_id = connection.execute(sa.text("SELECT person_id FROM membership WHERE role = 'teacher'")).scalar_one()
        put_membership(
            connection, district.id, source, section_id=section, person_id=person_id, role="observer", ends_former=True
        )
    peer.courses["course-1"] = [member(i) for i in range(1, 4)]
    assert memberships(sync(house, district)) == (0, 0, 0, 3)
    assert live(house, district, section)["Tess Teacher"] == "observer"


def test_a_grant_revoked_while_members_are_read_keeps_nothing(
    house: House, district: District, section: SectionId, platform: Registered, peer: MemberList,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    peer.courses["course-1"] = a_class(3)
    answer = peer.members

    def revoke_meanwhile(course: str, query: dict[str, str], token: str | None) -> tuple[int, dict[str, Any], str]:
        house.registrations.remove(platform.id)
        return answer(course, query, token)

    monkeypatch.setattr(peer, "members", revoke_meanwhile)
    assert sync(house, district).state == "failed"
    assert count(house, district, "person") == 0
    with pytest.raises(NotFound):
        sync(house, district)


def test_without_a_contract_nobody_is_read(house: House, peer: MemberList) -> None:
    bare = world.district(house, "bare", None)
    world.register(house, bare, peer)
    with pytest.raises(NoContract):
        sync(house, bare)
    assert peer.pages_read == 0
    assert peer.tokens == []


def test_every_run_is_found_by_its_id_and_logged_without_a_name(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"] = a_class(3)
    found = sync(house, district, section_id=section)
    with house.database.anyone() as connection:
        door = enter_by(connection, Door.RUN, house.doors.of(Door.RUN, str(found.run_ids[0])))
    assert door is not None
    assert door.target_id == found.run_ids[0]
    assert count(house, district, "log_entry", f"act = 'roster sync' AND object_id = '{found.run_ids[0]}'") == 1


def test_five_thousand_members_of_fifty_a_page_come_whole_in_six_forms_of_paging_or_not_at_all(
    house: House, district: District, section: SectionId, peer: MemberList
) -> None:
    peer.courses["course-1"], peer.page_size = a_class(4999), 50
    began = time.monotonic()
    assert memberships(sync(house, district)) == (5000, 0, 0, 0)
    assert time.monotonic() - began < 60
    for link in NEXT_LINKS[1:]:
        peer.link, peer.pages_read = link, 0
        assert memberships(sync(house, district)) == (0, 0, 0, 5000), link
        assert peer.pages_read == 100
    peer.courses["course-1"] = [*a_class(4989), *(member(i) for i in range(6000, 6010))]
    peer.refuse = {59: 500}
    assert sync(house, district).state == "failed"
    assert count(house, district, "membership", "ended_at IS NULL") == 5000
    assert count(house, district, "person") == 5000
    peer.refuse = {}
    assert memberships(sync(house, district)) == (10, 0, 10, 4990)
