"""Two people who were taken for one, and are two again: nobody stays at what is the other's."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from lti_server.accounts import ages
from lti_server.accounts.store import lock_subject
from lti_server.ids import GrantId, PersonId
from lti_server.privacy.ages import Age, AgeSource, Said
from tests.integration.accounts.conftest import People


def come(here: People, person: PersonId, grant: GrantId) -> None:
    here.do(
        "INSERT INTO session (id, district_id, person_id, role, grant_id, grant_epoch, created_at, expires_at)"
        " VALUES (gen_random_uuid(), :district, :person, 'pupil', :grant, 1, :now,"
        " CAST(:now AS timestamptz) + interval '1 day')",
        district=here.district.id, person=person, grant=grant, now=here.house.clock.now(),
    )  # fmt: skip


def whose(here: People, person: PersonId) -> ages.Whose:
    ((wrapped,),) = here.ask("SELECT wrapped_key FROM person WHERE id = :id", id=person)
    key = here.district.keys.person_key(person, bytes(wrapped))
    return ages.Whose(keys=here.district.keys, person_id=person, key=key)


def says(here: People, person: PersonId, years: int, source: AgeSource, grant: GrantId | None) -> None:
    now = here.house.clock.now()
    with here.house.database.tenant(here.district.id) as connection:
        said = Said(source, Age(years, now.date()))
        ages.learn(connection, whose(here, person), said, grant_id=grant, by="test", at=now)


def years(here: People, person: PersonId) -> int | None:
    with here.house.database.tenant(here.district.id) as connection:
        return ages.years(connection, whose(here, person), here.house.clock.now().date())


def test_sessions_that_began_while_they_were_one_end(here: People) -> None:
    one, other = here.somebody("a", here.lms), here.somebody("b", here.roster)
    come(here, one, here.lms)
    here.later()
    merge_id = here.merge(one, other)
    here.later()
    come(here, one, here.roster)
    here.later()
    here.undo(merge_id)
    assert [row.grant_id for row in here.ask("SELECT grant_id FROM session")] == [here.lms]


def test_an_age_that_was_said_since_is_of_whoever_came_by_that_connection(here: People) -> None:
    one, other = here.somebody("a", here.lms), here.somebody("b", here.roster)
    merge_id = here.merge(one, other)
    here.later()
    says(here, one, 16, AgeSource.PROVIDER, here.roster)
    here.undo(merge_id)
    assert (years(here, one), years(here, other)) == (None, 16)


@pytest.mark.parametrize("source", [AgeSource.PROVIDER, AgeSource.SELF])
def test_an_age_that_may_be_of_either_is_of_neither(here: People, source: AgeSource) -> None:
    """Said by a connection that both came by, or by whoever was signed in."""
    one, other = here.somebody("a", here.lms), here.somebody("b", here.lms)
    merge_id = here.merge(one, other)
    here.later()
    says(here, one, 16, source, here.lms if source is AgeSource.PROVIDER else None)
    assert years(here, one) == 16
    here.undo(merge_id)
    assert (years(here, one), years(here, other)) == (None, None)


def test_what_the_first_of_several_has_said_of_themself_is_not_asked_again(here: People) -> None:
    """Merged into one who was merged into another."""
    one, other, third = (here.somebody(name, here.lms) for name in "abc")
    says(here, third, 16, AgeSource.SELF, None)
    here.merge(other, third)
    here.later()
    here.merge(one, other)
    with here.house.database.tenant(here.district.id) as connection:
        assert ages.has_word(connection, one)
    assert years(here, one) == 16


def test_it_waits_for_whoever_is_being_let_in_at_that_moment(here: People) -> None:
    """So that nobody is let in as the one by a way in that is the other's again."""
    one, other = here.somebody("a", here.lms), here.somebody("b", here.roster)
    ((hashed,),) = here.ask("SELECT subject_hash FROM identity WHERE person_id = :id", id=other)
    merge_id = here.merge(one, other)
    undoing = threading.Thread(target=here.undo, args=[merge_id])
    with here.house.database.tenant(here.district.id) as letting_in:
        lock_subject(letting_in, bytes(hashed))
        undoing.start()
        undoing.join(timeout=0.5)
        # The person's row is free, or whoever is let in would wait for whoever waits for them.
        letting_in.execute(sa.text("SELECT FROM person WHERE id = :id FOR UPDATE NOWAIT"), {"id": one})
        assert undoing.is_alive()
    undoing.join(timeout=10)
    assert here.ask("SELECT 1 FROM person WHERE merged_into IS NOT NULL") == []
