"""The page of a data privacy launch in a browser: no barriers, at any width, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lti_server.lti.data_privacy import Reader
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer


@pytest.mark.parametrize("view", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize(("locale", "administrator"), [("en", True), ("fr", False)])
def test_the_privacy_page_has_no_barriers(
    view: Any, locale: str, administrator: bool, server: RealServer, opened: Opener, complaints: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    with server.house.database.anyone() as connection:
        (district,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    reader = Reader(district_id=district, administrator=administrator, locale=locale)
    token = server.house.privacy_tokens.issue(reader)
    page = opened(f"{server.url}/lti/data-privacy?reader={token}", viewport=view)
    expect(page.locator("h1")).to_have_text("Data and privacy" if locale == "en" else "Données et vie privée")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "privacy.png", full_page=True)
    assert not complaints
