"""12. A contract narrows while everything is under way: what it no longer allows stops, is purged, and is not read.

Cached reports and their ledger are REPORT's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from lti_server.accounts.store import fields_of
from lti_server.privacy import new_use, schedule
from lti_server.privacy.model import Purpose
from lti_server.privacy.signing import Signing
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional.street import Street, street


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        wide = world.contract(found.house)
        world.sign(found.house, found.district, wide)
        yield found


def narrow(on: Street, *without: str) -> dict[str, int]:
    """By an amendment: without a signature, and at once."""
    signing = Signing(on.house.database, on.house.retain, on.house.journal, on.house.clock)
    return dict(signing.amend(on.district, world.contract(on.house, without=without), by="test").purged)


def state(on: Street, token: str) -> Any:
    answer = requests.get(f"{on.tool_url}/api/v1/progress", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    return answer.json()["activities"]


def count(on: Street, query: str) -> int:
    with on.house.database.tenant(on.district.id) as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def test_stored_values_are_purged_with_the_amendment(on: Street) -> None:
    on.save(on.token(), work={"bits": "1010"})
    assert count(on, "SELECT count(*) FROM person_field WHERE field LIKE '%name'")
    purged = narrow(on, schedule.NAME, schedule.WORK)
    assert purged[schedule.NAME] >= 1
    assert count(on, "SELECT count(*) FROM person_field f JOIN person p ON p.id = f.person_id"
                     " WHERE p.kind = 'pupil' AND f.field LIKE '%name'") == 0  # fmt: skip
    assert count(on, "SELECT count(*) FROM progress_event WHERE work IS NOT NULL") == 0


def test_a_live_lesson_saves_and_shows_nothing_more(on: Street) -> None:
    token = on.token()
    assert on.save(token)["saved"] is True
    assert state(on, token)
    narrow(on, schedule.PERFORMANCE)
    assert on.save(token, 1) == {"saved": False}
    assert state(on, token) == []
    assert count(on, "SELECT count(*) FROM progress_event") == 0


def test_a_grade_that_waits_does_not_leave_any_more(on: Street) -> None:
    on.save(on.token())
    narrow(on, schedule.APP_ID)
    assert on.deliver() == "parked"
    assert on.standing() == []
    assert count(on, "SELECT count(*) FROM log_entry WHERE act = 'grade' AND decision = 'refused'") == 1


def test_what_is_not_purged_yet_is_not_read_either(on: Street) -> None:
    """The gates read the contract at the moment of use: no purge has to come first."""
    on.token()
    world.sign(on.house, on.district, world.contract(on.house, without=(schedule.NAME,)))
    with on.house.database.tenant(on.district.id) as connection:
        people = list(connection.execute(sa.text("SELECT id FROM person WHERE kind = 'pupil'")).scalars())
        reading = new_use.reading_for(connection, on.district.zone, Purpose.INSTRUCTION, on.house.clock.now())
        found = fields_of(connection, on.district.keys, people, reading)
    assert not any("name" in field for fields in found.values() for field in fields)


def test_the_page_of_the_district_and_the_notice_show_the_narrower_contract_at_once(on: Street) -> None:
    def page() -> str:
        return requests.get(f"{on.tool_url}/privacy/districts/{on.district.slug}", timeout=10).text

    assert f">{schedule.NAME}<" in page()
    narrow(on, schedule.NAME)
    assert f">{schedule.NAME}<" not in page()


def test_a_wider_amendment_changes_nothing(on: Street) -> None:
    narrow(on, schedule.NAME)
    before = count(on, "SELECT max(version) FROM contract")
    with pytest.raises(Exception, match="needs a signature"):
        narrow(on)
    assert count(on, "SELECT max(version) FROM contract") == before
