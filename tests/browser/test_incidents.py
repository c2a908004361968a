"""The pages of incidents in a browser: no barriers, at any width, in both languages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from lti_server.accounts.permissions import StaffRole
from lti_server.incidents import Asked, Incidents
from lti_server.privacy import districts
from tests import world
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer
from tests.browser.test_people import looked_at
from tests.functional.test_incident_commands import TERMS


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_an_incident_is_read_without_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    server.launch("turtle-garden")
    with server.house.database.anyone() as connection:
        (district,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district)
    page = opened(f"{server.url}/signin/invitation/{token}", viewport=view)
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/district/incidents?lang={locale}")
    looked_at(page, tmp_path / "none.png")
    (owner,) = districts.every(server.house.database, server.house.ring)
    world.sign(server.house, owner, world.contract(server.house, more=TERMS))
    incidents, now = Incidents(server.house, "cli:test"), server.house.clock.now()
    held = incidents.open(Asked(description="A disk was taken.", discovered_at=now - timedelta(days=1)))
    incidents.delay(held, now + timedelta(days=2), "Case 7")
    lost = Asked(
        description="A laptop with an export was lost on a train.", discovered_at=now - timedelta(hours=3),
        provider="lti", elements=("student_name.first_and_or_last", "in_app_performance.program_performance"),
    )  # fmt: skip
    made = incidents.open(lost)
    incidents.confirm(made, now)
    incidents.notify(made)
    page.reload()
    expect(page.locator(".card")).to_have_count(2)
    looked_at(page, tmp_path / "list.png")
    page.locator(f"a[href*='{made}']").click()
    looked_at(page, tmp_path / "incident.png")
    page.goto(f"{server.url}/district/incidents/{held}?lang={locale}")
    looked_at(page, tmp_path / "held.png")
    assert not complaints
