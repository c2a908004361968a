"""Two people who are one: what is united, what is kept, and that it can be undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lti_server.accounts import ages
from lti_server.accounts.merging import one_person
from lti_server.accounts.model import Kind
from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.ids import PersonId, new_id
from lti_server.privacy.ages import Age, AgeSource, Said
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked
from tests.integration.accounts.conftest import WHY, People

ASKED = Asked(by="test", act="person restrict", reason="They asked")


def two(here: People) -> tuple[PersonId, PersonId]:
    """Somebody by the LMS, and somebody by a provider, each with all that there can be."""
    one = here.somebody("a", here.lms, given_name="Ada", local_id="7")
    other = here.somebody("b", here.roster, given_name="Augusta", family_name="King")
    lms_class, roster_class = here.section(here.lms), here.section(here.roster)
    here.joins(one, lms_class, here.lms)
    here.joins(other, roster_class, here.roster)
    here.tries(one, here.lms, 0.4, work='"mine"')
    here.tries(one, here.lms, 0.9, activity="b", completed=True)
    here.tries(other, here.roster, 0.7, work='"theirs"', completed=True)
    here.house.rights.correct.put(here.district.id, other, "nickname", "Gus", ASKED)
    here.house.rights.correct.restrict(here.district.id, other, Recipients.GRADEBOOK, ASKED)
    here.house.rights.own_requests.ask(here.district.id, other, "question", "Who sees this?")
    here.later()
    return one, other


def test_what_both_had_is_one_persons_and_opens_under_one_key(here: People) -> None:
    one, other = two(here)
    here.merge(one, other)
    found = here.known(one)
    assert {row["ciphertext"] for row in found["person_field"]} == {"Ada", "Augusta", "King", "7"}
    assert {row["subject"] for row in found["identity"]} == {"a", "b"}
    assert {row["work"] for row in found["progress_event"]} == {'"mine"', '"theirs"', None}
    assert [row["ciphertext"] for row in found["correction"]] == ["Gus"]
    assert [row["sealed"] for row in found["own_request"]] == ["Who sees this?"]
    assert len(found["membership"]) == 2
    assert here.total(one) == {"a": (2, 0.7), "b": (1, 0.9)}


def test_undone_both_are_what_they_were(here: People) -> None:
    one, other = two(here)
    before = here.known(one), here.known(other)
    merge_id = here.merge(one, other)
    assert here.known(one) != before[0]
    here.undo(merge_id)
    assert (here.known(one), here.known(other)) == before


TRIES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.25, 1.0]), st.booleans()), max_size=4)
NAMES = st.dictionaries(st.sampled_from(["given_name", "family_name", "nickname"]), st.sampled_from(["x", "y"]))
SIDE = st.tuples(NAMES, TRIES, st.booleans(), st.booleans())


@settings(
    max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SIDE, SIDE, st.booleans())
def test_whatever_two_have_undoing_gives_it_back_and_merging_loses_nothing(
    here: People, mine: Any, theirs: Any, shared: bool
) -> None:
    """Both by one connection, with the same fields, classes and attempts; or each by their own."""
    section, same = here.section(here.lms), new_id()
    made = []
    for (names, tries, joins, restricted), grant in ((mine, here.lms), (theirs, here.lms if shared else here.roster)):
        person = here.somebody(str(new_id()), grant, **names)
        for number, (activity, score, completed) in enumerate(tries):
            attempt_id = same if number == 0 else None
            here.tries(person, grant, score, activity=activity, completed=completed, attempt_id=attempt_id, work='"w"')
        if joins:
            here.joins(person, section, here.lms)
        if restricted:
            here.house.rights.correct.restrict(here.district.id, person, Recipients.TEACHER, ASKED)
        made.append(person)
    here.later()
    one, other = made
    before = here.known(one), here.known(other)
    totals = here.total(one), here.total(other)
    merge_id = here.merge(one, other)
    found, both = here.known(one), here.total(one)
    for activity in {**totals[0], **totals[1]}:
        alone = [side[activity] for side in totals if activity in side]
        assert both[activity] == (sum(attempts for attempts, _ in alone), max(best for _, best in alone))
    assert len(found.get("progress_event", ())) == len(mine[1]) + len(theirs[1])
    assert len([row for row in found.get("membership", ()) if row["ended_at"] is None]) == (mine[2] or theirs[2])
    assert len(found.get("disclosure_restriction", ())) == (mine[3] or theirs[3])
    here.undo(merge_id)
    assert (here.known(one), here.known(other)) == before


def test_what_came_since_stays_with_whoever_s_way_in_brought_it(here: People) -> None:
    one, other = two(here)
    merge_id = here.merge(one, other)
    here.later()
    here.tries(one, here.lms, 0.95)
    here.tries(one, here.roster, 1.0, activity="new", completed=True)
    here.tells(one, here.roster, middle_name="Byron")
    late = here.section(here.roster)
    here.joins(one, late, here.roster)
    here.undo(merge_id)
    assert here.total(one) == {"a": (2, 0.95), "b": (1, 0.9)}
    assert here.total(other) == {"a": (1, 0.7), "new": (1, 1.0)}
    assert "Byron" in {row["ciphertext"] for row in here.known(other)["person_field"]}
    assert "Byron" not in {row["ciphertext"] for row in here.known(one)["person_field"]}
    assert len(here.known(other)["membership"]) == 2


def test_what_was_restricted_since_holds_for_both(here: People) -> None:
    one, other = two(here)
    merge_id = here.merge(one, other)
    here.later()
    here.house.rights.correct.restrict(here.district.id, one, Recipients.DISTRICT, ASKED)
    here.undo(merge_id)
    assert {row["recipients"] for row in here.known(one)["disclosure_restriction"]} == {"district"}
    assert {row["recipients"] for row in here.known(other)["disclosure_restriction"]} == {"district", "gradebook"}


@pytest.mark.parametrize("teaches", ["into", "gone"])
def test_a_pupil_and_a_teacher_are_never_one(here: People, teaches: str) -> None:
    kinds = [Kind.STAFF if teaches == name else Kind.PUPIL for name in ("into", "gone")]
    one, other = here.somebody("a", here.lms, kind=kinds[0]), here.somebody("b", here.roster, kind=kinds[1])
    with pytest.raises(Conflict, match="they stay two"):
        here.merge(one, other)


def test_a_guardians_block_stands_over_both(here: People) -> None:
    one, other = two(here)
    here.house.rights.blocks.of_person(here.district.id, other, by="test")
    for pair in ((one, other), (other, one)):
        with pytest.raises(Conflict, match="nothing may be collected"):
            here.merge(*pair)


def test_a_block_after_a_merge_covers_every_way_in(here: People) -> None:
    one, other = two(here)
    here.merge(one, other)
    here.house.rights.blocks.of_person(here.district.id, one, by="test")
    assert here.ask("SELECT 1 FROM identity WHERE ended_at IS NULL") == []


def test_an_erasure_takes_both_with_their_keys_whichever_is_named(here: People) -> None:
    for named in (0, 1):
        pair = two_more(here, named)
        here.house.rights.erase(here.district.id, pair[named], by="test")
        rows = here.ask("SELECT wrapped_key, key_destroyed_at FROM person WHERE id = ANY(:ids)", ids=list(pair))
        assert len(rows) == 2
        assert all(row.wrapped_key is None and row.key_destroyed_at is not None for row in rows)
        assert here.ask("SELECT 1 FROM merge_ledger WHERE sealed IS NOT NULL OR moved IS NOT NULL") == []
        assert here.ask("SELECT 1 FROM identity UNION ALL SELECT 1 FROM progress_event") == []


def two_more(here: People, number: int) -> tuple[PersonId, PersonId]:
    one = here.somebody(f"one-{number}", here.lms, given_name="Ada")
    other = here.somebody(f"other-{number}", here.roster, given_name="Ada")
    here.tries(other, here.roster, 1.0, work='"w"')
    here.merge(one, other)
    return one, other


def test_the_person_reads_in_one_log_what_was_said_of_either_and_why(here: People) -> None:
    one, other = two(here)
    here.known(other)
    here.merge(one, other)
    entries = here.known(one, log=True)["log_entry"]
    assert {(row["act"], row["words"]) for row in entries} >= {
        ("person merge", "They are one child"),
        ("person restrict", "They asked"),
        ("t", "why"),
    }


def test_sessions_of_whoever_is_merged_end_and_the_others_go_on(here: People) -> None:
    one, other = two(here)
    for person, grant in ((one, here.lms), (other, here.roster)):
        here.do(
            "INSERT INTO session (id, district_id, person_id, role, grant_id, grant_epoch, created_at, expires_at)"
            " VALUES (gen_random_uuid(), :district, :person, 'pupil', :grant, 1, now(), now() + interval '1 day')",
            district=here.district.id, person=person, grant=grant,
        )  # fmt: skip
    here.merge(one, other)
    assert [row.person_id for row in here.ask("SELECT person_id FROM session")] == [one]


def test_nothing_new_is_written_of_whoever_is_merged(here: People) -> None:
    one, other = two(here)
    here.merge(one, other)
    with pytest.raises(Conflict, match="became one with another"):
        here.tries(other, here.roster, 1.0)


def test_a_merge_is_undone_in_its_order_and_within_its_time(here: People) -> None:
    one, other = two(here)
    third = here.somebody("c", here.roster)
    first = here.merge(one, other)
    here.later()
    second = here.merge(one, third)
    with pytest.raises(Conflict, match="Undo that one first"):
        here.undo(first)
    here.undo(second)
    here.undo(first)
    with pytest.raises(Conflict, match="undone already"):
        here.undo(first)
    again = here.merge(other, one)
    here.clock.pass_s(timedelta(days=30).total_seconds())
    with pytest.raises(Conflict, match="30 days"):
        here.undo(again)
    here.house.rights.resume(here.district.id)
    assert here.ask("SELECT 1 FROM merge_ledger WHERE moved IS NOT NULL OR sealed IS NOT NULL") == []


def test_a_chain_of_merges_is_one_person(here: People) -> None:
    one, other = two(here)
    third = here.somebody("c", here.roster)
    inner = here.merge(other, third)
    here.later()
    outer = here.merge(one, other)
    with here.house.database.tenant(here.district.id) as connection:
        assert [one_person(connection, who)[0] for who in (one, other, third)] == [one] * 3
    assert {row["subject"] for row in here.known(one)["identity"]} == {"a", "b", "c"}
    with pytest.raises(Conflict, match="Undo that one first"):
        here.undo(inner)
    here.undo(outer)
    here.undo(inner)
    assert [row["subject"] for row in here.known(third)["identity"]] == ["c"]


def test_the_ledger_says_what_moved_by_ids_alone(here: People) -> None:
    one, other = two(here)
    here.merge(one, other)
    (row,) = here.ask("SELECT CAST(moved AS text) AS moved, sealed FROM merge_ledger")
    for text in ("Ada", "King", "Gus", "Who sees", "theirs", "0.7"):
        assert text not in row.moved
        assert text.encode() not in bytes(row.sealed)


def test_nobody_merges_without_a_reason_or_with_nobody(here: People) -> None:
    one, other = two(here)
    with pytest.raises(InvalidInput):
        here.merge(one, other, type(WHY)(by="test", way=WHY.way, reason=" "))
    with pytest.raises(Conflict, match="one person already"):
        here.merge(one, one)
    with pytest.raises(NotFound):
        here.merge(one, PersonId(new_id()))


def test_the_preview_counts_and_changes_nothing(here: People) -> None:
    one, other = two(here)
    before = here.known(one), here.known(other)
    with here.house.database.tenant(here.district.id) as connection:
        found = here.house.rights.merge.preview(connection, one, other)
    assert (found.has["attempts"], found.has["classes"], found.has["identities"]) == ((2, 1), (1, 1), (1, 1))
    assert (here.known(one), here.known(other)) == before


def test_the_ledger_cannot_be_deleted_by_the_application(here: People) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        here.do("DELETE FROM merge_ledger")


def test_the_lower_of_two_ages_counts_and_an_address_of_a_child_stays_as_a_hash_alone(here: People) -> None:
    one = here.somebody("a", here.lms, email="ada@school.example")
    other = here.somebody("b", here.roster)
    keys, at = here.district.keys, here.house.clock.now()
    with here.house.database.tenant(here.district.id) as connection:
        for person, years in ((one, 16), (other, 11)):
            (row,) = connection.execute(sa.text("SELECT wrapped_key FROM person WHERE id = :id"), {"id": person})
            whose = ages.Whose(keys=keys, person_id=person, key=keys.person_key(person, bytes(row.wrapped_key)))
            said = Said(AgeSource.TEACHER, Age(years, at.date()))
            ages.learn(connection, whose, said, grant_id=None, by="test", at=at)
        held = sa.text("SELECT ciphertext IS NULL FROM person_field WHERE field = 'email'")
        assert connection.execute(held).scalar_one() is False
    merge_id = here.merge(one, other)
    assert [row[0] for row in here.ask("SELECT ciphertext IS NULL FROM person_field WHERE field = 'email'")] == [True]
    here.undo(merge_id)
    assert len(here.ask("SELECT 1 FROM person_age")) == 2


@pytest.mark.parametrize(("mine", "theirs"), [("16", "11"), ("11", "16"), ("12", "12")])
def test_of_two_ages_that_a_district_has_put_right_the_lower_stands(here: People, mine: str, theirs: str) -> None:
    both = [here.somebody("a", here.lms), here.somebody("b", here.roster)]
    keys, at = here.district.keys, here.house.clock.now()
    for person, years in zip(both, (mine, theirs), strict=True):
        with here.house.database.tenant(here.district.id) as connection:
            (row,) = connection.execute(sa.text("SELECT wrapped_key FROM person WHERE id = :id"), {"id": person})
            key = keys.person_key(person, bytes(row.wrapped_key))
            text = Age(int(years), at.date()).text()
            sealed = key.seal("correction", "ciphertext", f"{person}|age", text)
            connection.execute(
                sa.text("INSERT INTO correction VALUES (:district, :person, 'age', :sealed, 'test', :at)"),
                {"district": here.district.id, "person": person, "sealed": sealed, "at": at},
            )
    here.later()
    before = [here.known(one)["correction"] for one in both]
    merge_id = here.merge(both[0], both[1])
    (stands,) = here.known(both[0])["correction"]
    assert stands["ciphertext"].split()[0] == min(mine, theirs)
    here.undo(merge_id)
    assert [here.known(one)["correction"] for one in both] == before
