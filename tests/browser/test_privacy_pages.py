"""The privacy notice and the contract page, in a browser: no barriers, in both languages, on a phone too."""

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
def test_the_notice_and_the_contract_have_no_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    with server.house.database.anyone() as connection:
        (district,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    token, _ = server.house.invitations.invite(StaffRole.DISTRICT_ADMIN, district)
    page = opened(f"{server.url}/signin/invitation/{token}", viewport=view)
    page.get_by_role("main").get_by_role("button").click()
    addresses = ["/privacy", "/district/contract"]
    titles = {"en": ["Privacy notice", "Contract"], "fr": ["Politique de confidentialité", "Contrat"]}[locale]
    for address, title in zip(addresses, titles, strict=True):
        page.goto(f"{server.url}{address}?lang={locale}")
        expect(page.locator("h1")).to_have_text(title)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=tmp_path / f"{title}.png", full_page=True)
    page.locator("main a").last.click()
    expect(page.locator("h1")).not_to_have_text(titles[1])
    assert Axe().run(page).violations_count == 0
    assert not complaints
