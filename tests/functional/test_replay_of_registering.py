"""Whether people register themselves, as a backup comes back from before that was ended."""

from __future__ import annotations

import sqlalchemy as sa

from lti_server.accounts import email_codes
from lti_server.accounts.email_codes import Way
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


def test_a_code_that_was_open_then_opens_nothing_and_a_claim_proves_nothing(monday: Monday) -> None:
    """Either may have been used since."""
    registering = OwnDoorHouse(monday.house).registering
    desk = registering.enable("US", by="cli:test")
    keys, now = desk.district.keys, monday.house.clock.now()
    with monday.house.database.tenant(desk.district.id) as connection:
        email_codes.issue(
            connection, keys, way=Way.SIGN_IN, browser="b", address_hash=keys.lookup("email", "ada@example.org"),
            newcomer=None, opens=True, now=now,
        )  # fmt: skip
        connection.execute(_CLAIM, {"district": desk.district.id, "now": now})
    monday.backup()
    registering.disable("US", by="cli:test")
    monday.restore(JournalKind.DESK_CLOSED)
    with monday.restored() as house, house.database.tenant(desk.district.id) as connection:
        for table in ("email_code", "tenant_claim"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


_CLAIM = sa.text(
    "INSERT INTO tenant_claim (id, district_id, session_id, provider, tenant, created_at, expires_at)"
    " VALUES (gen_random_uuid(), :district, gen_random_uuid(), 'clever', 'd-1', :now,"
    " CAST(:now AS timestamptz) + interval '10 minutes')"
)
