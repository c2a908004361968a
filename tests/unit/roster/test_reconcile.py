"""Plans of one class: what changes, what is held, and that a second run changes nothing."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lti_server.ids import MembershipId, PersonId
from lti_server.roster.model import Standing
from lti_server.roster.reconcile import Plan, holds, plan

NAMES = [f"u{i}" for i in range(8)]
PEOPLE = {name: PersonId(UUID(int=i + 1)) for i, name in enumerate(NAMES)}
ROLES = st.sampled_from(["pupil", "teacher"])
TOLD = st.dictionaries(st.sampled_from(NAMES), ROLES)


def standing(name: str, role: str = "pupil", *, ours: bool = True) -> Standing:
    return Standing(id=MembershipId(UUID(int=PEOPLE[name].int + 100)), person_id=PEOPLE[name], role=role, ours=ours)


def by_person(*found: Standing) -> dict[PersonId, Standing]:
    return {one.person_id: one for one in found}


STANDS = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from(["pupil", "teacher", "observer"]), st.booleans())
).map(lambda found: by_person(*(standing(name, role, ours=ours) for name, (role, ours) in found.items())))


def applied(stands: dict[PersonId, Standing], found: Plan, told: dict[str, str]) -> dict[PersonId, Standing]:
    """What stands once a plan is carried out."""
    gone = {one.person_id for one in (*found.ends, *found.swaps.values())}
    begun = {**found.starts, **{name: told[name] for name in found.swaps}}
    kept = {person_id: one for person_id, one in stands.items() if person_id not in gone}
    return {**kept, **by_person(*(standing(name, role) for name, role in begun.items()))}


@given(STANDS, TOLD)
def test_a_second_run_changes_nothing(stands: dict[PersonId, Standing], told: dict[str, str]) -> None:
    after = applied(stands, plan(stands, told, PEOPLE), told)
    again = plan(after, told, PEOPLE)
    assert (again.starts, again.swaps, again.ends) == ({}, {}, ())
    assert again.unchanged == len(told)


@given(STANDS, TOLD)
def test_nobody_else_s_membership_is_ended(stands: dict[PersonId, Standing], told: dict[str, str]) -> None:
    found = plan(stands, told, PEOPLE)
    assert all(one.ours for one in (*found.ends, *found.swaps.values()))


@given(STANDS, TOLD)
def test_everyone_told_is_in_the_class_afterwards(stands: dict[PersonId, Standing], told: dict[str, str]) -> None:
    after = applied(stands, plan(stands, told, PEOPLE), told)
    assert {PEOPLE[name] for name in told} <= after.keys()


def test_a_role_that_changes_ends_one_membership_and_starts_another() -> None:
    found = plan(by_person(standing("u0")), {"u0": "teacher"}, PEOPLE)
    assert found.swaps == {"u0": standing("u0")}
    assert not found.ends
    assert not found.starts


def test_an_observer_of_whom_no_roster_tells_stays() -> None:
    assert plan(by_person(standing("u0", "observer")), {}, PEOPLE).ends == ()


def held(present: int, told: int) -> list[str]:
    stands = by_person(*(
        Standing(id=MembershipId(UUID(int=i)), person_id=PersonId(UUID(int=i)), role="pupil", ours=True)
        for i in range(present)
    ))  # fmt: skip
    roles = {str(i): "pupil" for i in range(told)}
    found = plan(stands, roles, {str(i): PersonId(UUID(int=i)) for i in range(present)})
    return [one.rule for one in holds(found, stands, roles, "s")]


def test_an_empty_answer_holds_a_class_that_had_somebody() -> None:
    assert held(1, 0) == ["empty"]
    assert held(0, 0) == []


def test_more_than_a_tenth_and_three_or_more_who_leave_are_held() -> None:
    assert held(30, 27) == []
    assert held(30, 26) == ["many-removed"]
    assert held(29, 26) == ["many-removed"]
    assert held(4, 2) == []
    assert held(4, 1) == ["many-removed"]


@given(STANDS, TOLD, st.booleans())
def test_a_teacher_by_launch_stays_one_where_the_list_calls_assistants_pupils(
    stands: dict[PersonId, Standing], told: dict[str, str], launched: bool
) -> None:
    assistant = dataclasses.replace(standing("u0", "teacher"), launched=launched)
    stands, told = {**stands, assistant.person_id: assistant}, {**told, "u0": "pupil"}
    assert ("u0" in plan(stands, told, PEOPLE, launched_teachers_stay=True).swaps) is not launched
    assert "u0" in plan(stands, told, PEOPLE).swaps
    gone = {name: role for name, role in told.items() if name != "u0"}
    assert assistant in plan(stands, gone, PEOPLE, launched_teachers_stay=True).ends


def test_who_is_told_of_under_two_ids_that_are_one_persons_is_in_the_class_once_and_teaching_counts() -> None:
    both = {"u0": PEOPLE["u0"], "u1": PEOPLE["u0"]}
    assert plan({}, {"u0": "pupil", "u1": "teacher"}, both).starts == {"u1": "teacher"}
    found = plan(by_person(standing("u0", "pupil")), {"u0": "pupil", "u1": "teacher"}, both)
    assert (list(found.swaps), found.ends) == (["u1"], ())
    found = plan(by_person(standing("u0", "pupil")), {"u1": "pupil"}, both)
    assert (found.unchanged, found.ends) == (1, ())
