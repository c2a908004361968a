"""The page of a connection in a browser: no barriers, at any width, in both languages, before and after revoking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from lti_server.accounts.permissions import StaffRole
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer


def looked_at(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_a_connection_is_revoked_without_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    with server.house.database.anyone() as connection:
        (district,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    server.launch("turtle-garden")
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district)
    page = opened(f"{server.url}/signin/invitation/{token}", viewport=view)
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/district/connections?lang={locale}")
    looked_at(page)
    page.get_by_role("link", name="lti").click()
    looked_at(page)
    page.screenshot(path=tmp_path / "connection.png", full_page=True)
    page.get_by_role("radio").first.check()
    page.locator("#reason").fill("We change our LMS.")
    page.locator("form[action*='/revoke'] button").click()
    receipt = {"en": "Download the signed receipt", "fr": "Télécharger le reçu signé"}[locale]
    page.get_by_role("link", name=receipt).wait_for()
    looked_at(page)
    page.screenshot(path=tmp_path / "receipt.png", full_page=True)
    assert not complaints
