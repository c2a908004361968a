"""Members that are one person, whatever the order in which a list names them."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti.merging import Member, merged
from lti_server.providers.records import MembershipRole, PersonRole, SourceMembership, SourcePerson

IDS = st.sampled_from(["a", "b", "c", "d", "e"])


def row(source_id: str, legacy: str = "", *, teaches: bool = False, active: bool = True, name: str = "") -> Member:
    return Member(
        person=SourcePerson(
            source_id=source_id, role=PersonRole.TEACHER if teaches else PersonRole.PUPIL, full_name=name
        ),
        membership=SourceMembership(
            section_source_id="course-1", person_source_id=source_id, active=active,
            role=MembershipRole.TEACHER if teaches else MembershipRole.PUPIL,
        ),
        legacy_id=legacy,
    )  # fmt: skip


ROWS = st.lists(
    st.builds(row, IDS, st.sampled_from(["", "a", "b", "c", "old"]), teaches=st.booleans(), active=st.booleans(),
              name=st.sampled_from(["", "Ada", "Bob"])),
    max_size=8,
)  # fmt: skip


def told(rows: list[Member]) -> set[tuple[str, str, bool, str]]:
    return {(one.person.source_id, one.membership.role, one.membership.active, one.person.full_name) for one in rows}


@given(ROWS, st.randoms())
def test_the_order_of_a_list_changes_nobody(rows: list[Member], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert told(merged(rows)) == told(merged(shuffled))


@given(ROWS)
def test_nobody_is_lost_and_nobody_is_there_twice(rows: list[Member]) -> None:
    found = merged(rows)
    ids = [one.person.source_id for one in found]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {one.person.source_id for one in rows}
    assert told(merged(found)) == told(found)
    assert bool(rows) == bool(found)
    assert all(one.person.source_id == one.membership.person_source_id for one in found)


@given(st.lists(st.builds(row, IDS, teaches=st.booleans(), active=st.booleans()), max_size=8))
def test_without_former_ids_only_the_same_id_is_the_same_person(rows: list[Member]) -> None:
    assert {one.person.source_id for one in merged(rows)} == {one.person.source_id for one in rows}


def test_a_person_under_a_former_id_too_keeps_the_new_one() -> None:
    (found,) = merged([row("old-7", name="Ada"), row("new-7", "old-7")])
    assert (found.person.source_id, found.person.full_name) == ("new-7", "Ada")


def test_two_people_of_one_name_stay_two() -> None:
    assert len(merged([row("a", name="Ada"), row("b", name="Ada")])) == 2


def test_being_there_counts_more_than_teaching() -> None:
    (found,) = merged([row("a", teaches=True, active=False), row("a")])
    assert (found.membership.role, found.membership.active) == ("pupil", True)
