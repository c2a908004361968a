"""The page that a district begins with, in a browser: no barriers, at any width, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lti_server.accounts.permissions import StaffRole
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer


@pytest.mark.parametrize("view", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("locale", ["en", "fr"])
def test_the_checklist_has_no_barriers_and_leads_on(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    with server.house.database.anyone() as connection:
        (district,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    token, _ = server.house.invitations.invite(StaffRole.DISTRICT_ADMIN, district)
    page = opened(f"{server.url}/signin/invitation/{token}", viewport=view)
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/district?lang={locale}")
    expect(page.locator("h2").first).to_have_text("Checklist" if locale == "en" else "Étapes")
    expect(page.locator('li[aria-current="step"]')).to_have_count(1)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "district.png", full_page=True)
    page.locator('a[href*="/district/log"]').click()
    expect(page.locator("h1")).to_have_count(1)
    assert not complaints
