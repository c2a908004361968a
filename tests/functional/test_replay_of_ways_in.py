"""A way in ended, was held or was freed after the backup: the restored database lets in nobody whom it should not."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lti_server.accounts.way_states import WayStates
from lti_server.ids import IdentityId
from lti_server.privacy.journal import JournalKind
from tests.functional.restored import Monday, elsewhere, monday, site

__all__ = ["elsewhere", "monday", "site"]

STATE = "SELECT ended_at IS NOT NULL, held_at IS NOT NULL FROM identity WHERE id = :id"


def way_in(monday: Monday) -> UUID:
    wanted = sa.text("SELECT id FROM identity WHERE person_id = :person AND ended_at IS NULL LIMIT 1")
    with monday.house.database.tenant(monday.district_id) as connection:
        return UUID(str(connection.execute(wanted, {"person": monday.pupil}).scalar_one()))


def change(monday: Monday, identity_id: UUID, *acts: str) -> None:
    states: WayStates = monday.house.rights.way_states
    for act in acts:
        now = monday.house.clock.now()
        said = {} if act == "end" else {"said": now}
        with monday.house.database.tenant(monday.district_id) as connection:
            tell = getattr(states, act)(connection, monday.district_id, IdentityId(identity_id), now, **said)
        if act == "free":
            tell()


def test_a_way_in_that_was_left_is_over_after_the_restore(monday: Monday) -> None:
    found = way_in(monday)
    monday.backup()
    change(monday, found, "end")
    monday.restore(JournalKind.WAY_ENDED)
    assert monday.ask(STATE, id=found) == [(True, False)]


def test_a_way_in_that_its_provider_has_locked_is_locked_after_the_restore(monday: Monday) -> None:
    found = way_in(monday)
    monday.backup()
    change(monday, found, "hold", "free", "hold")
    monday.restore(JournalKind.WAY_HELD)
    assert monday.ask(STATE, id=found) == [(False, True)]


def test_a_way_in_that_was_freed_is_free_after_the_restore(monday: Monday) -> None:
    found = way_in(monday)
    change(monday, found, "hold")
    monday.backup()
    change(monday, found, "free")
    monday.restore(JournalKind.WAY_FREED)
    assert monday.ask(STATE, id=found) == [(False, False)]
