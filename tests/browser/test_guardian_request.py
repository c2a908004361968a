"""The guardian's door in a browser: no barriers, at any width, in both languages, without a script."""

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
def test_a_guardian_asks_and_the_district_reads_it(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    with server.house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    with server.house.database.tenant(district_id) as connection:
        slug = server.house.entered(connection).slug
    page = opened(f"{server.url}/privacy/request?lang={locale}&district={slug}", viewport=view)
    page.locator("#text").fill("Please show me what is kept of my child. " * 8)
    _clean(page, tmp_path / "request.png")
    page.locator("main form button").click()
    expect(page.get_by_role("status")).to_be_visible()
    _clean(page, tmp_path / "sent.png")
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district_id)
    page.goto(f"{server.url}/signin/invitation/{token}?lang={locale}")
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/district/requests?lang={locale}")
    expect(page.locator("blockquote")).to_contain_text("Please show me")
    _clean(page, tmp_path / "requests.png")
    page.locator("main form button").click()
    expect(page.locator("blockquote")).to_have_count(0)
    assert not complaints


def _clean(page: Any, picture: Path) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=picture, full_page=True)
