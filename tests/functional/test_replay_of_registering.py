"""Whether people register themselves, as a backup comes back from before that was ended."""

from __future__ import annotations

import sqlalchemy as sa

from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy.journal import JournalKind
from tests.functional.restored import Monday, elsewhere, monday, site

__all__ = ["elsewhere", "monday", "site"]


def test_where_nobody_registers_any_more_nobody_does_after_the_restore(monday: Monday) -> None:
    registering = OwnDoorHouse(monday.house).registering
    desk = registering.enable("US", by="cli:test")
    monday.backup()
    registering.disable("US", by="cli:test")
    monday.restore(JournalKind.DESK_CLOSED)
    with monday.restored() as house, house.database.tenant(desk.district.id) as connection:
        assert connection.execute(sa.text("SELECT closed_by FROM registration_desk")).scalar_one() == "restore"
