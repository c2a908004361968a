"""Looking at people in a browser: no barriers, at any width, in both languages, without a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from lti_server.accounts.permissions import StaffRole
from tests.browser.lesson_moves import DESKTOP, PHONE
from tests.browser.real_server import RealServer


def looked_at(page: Page, picture: Path) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=picture, full_page=True)


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_somebody_says_why_finds_a_pupil_and_erases_it_without_barriers(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    server.launch("turtle-garden")
    with server.house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district_id)
    context = chromium.new_context(viewport=view, java_script_enabled=scripts)
    page = context.new_page()
    look = looked_at if scripts else _pictured
    page.goto(f"{server.url}/signin/invitation/{token}?lang={locale}")
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/district/people?lang={locale}")
    look(page, tmp_path / "why.png")
    page.get_by_role("radio").first.check()
    page.locator("#words").fill("A guardian asks.")
    page.locator("main form button").click()
    page.locator("#text").fill("a")
    page.locator("#text").fill("am")
    page.locator("form[action*='/search'] button").click()
    look(page, tmp_path / "found.png")
    page.locator("section[aria-labelledby=found] a").first.click()
    look(page, tmp_path / "person.png")
    page.locator("section[aria-labelledby=erase] button").click()
    look(page, tmp_path / "preview.png")
    page.locator("form[action*='/act'] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    look(page, tmp_path / "done.png")
    context.close()


def _pictured(page: Page, picture: Path) -> None:
    page.screenshot(path=picture, full_page=True)
