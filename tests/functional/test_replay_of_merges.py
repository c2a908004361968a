"""Two people who were merged, or are two again, as a backup comes back from before that."""

from __future__ import annotations

from lti_server.accounts.merging import Merged, Way, Why
from lti_server.ids import PersonId
from lti_server.privacy.journal import JournalKind
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked
from tests.functional.restored import Monday, elsewhere, monday, site

__all__ = ["elsewhere", "monday", "site"]

WHY = Why(by="cli:test", way=Way.ADMINISTRATOR, reason="They are two.")
ASKED = Asked(by="cli:test", act="person restrict", reason="The family asked.")


def merged(monday: Monday) -> Merged:
    with monday.house.database.tenant(monday.district_id) as connection:
        (found,) = [one for one in monday.house.rights.merge.every(connection) if one.undone_at is None]
    return found


def test_two_who_were_told_apart_are_two_after_the_restore(monday: Monday) -> None:
    found = merged(monday)
    monday.backup()
    monday.house.rights.merge.undo(monday.district_id, found.id, WHY)
    monday.restore(JournalKind.UNMERGE)
    assert monday.ask("SELECT merged_into FROM person WHERE id = :id", id=found.gone) == [(None,)]
    assert monday.ask("SELECT count(*) FROM identity WHERE person_id = :id", id=found.gone) == [(1,)]


def test_a_restriction_of_whoever_was_merged_since_stands_over_both_after_the_restore(monday: Monday) -> None:
    found, rights = merged(monday), monday.house.rights
    rights.merge.undo(monday.district_id, found.id, WHY)
    rights.correct.restrict(monday.district_id, found.gone, Recipients.EVALUATOR, ASKED)
    with monday.house.database.tenant(monday.district_id) as connection:
        rights.merge.merge(connection, found.into, PersonId(found.gone), WHY)
    monday.backup()
    monday.restore(JournalKind.RESTRICTION, changed=0)
    said = "SELECT person_id FROM disclosure_restriction WHERE recipients = 'evaluator' AND person_id = ANY(:ids)"
    assert monday.ask(said, ids=[found.into, found.gone]) == [(found.into,)]
