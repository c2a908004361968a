"""Coming in as staff in a browser: the promise of confidence is read and given, by keyboard, without scripts, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from lti_server.accounts.confidence import promise_in
from lti_server.accounts.permissions import StaffRole
from tests.browser.lesson_moves import DESKTOP, PHONE
from tests.browser.real_server import RealServer
from tests.browser.test_leaving import by_tab
from tests.browser.test_own_page import looked_at
from tests.browser.test_people import _pictured as pictured

VIEWS = pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (PHONE, "fr", True), (DESKTOP, "en", True)],
    ids=["phone-fr-without-scripts", "phone-fr", "desktop-en"],
)


@VIEWS
def test_whoever_is_invited_reads_the_promise_and_comes_in_by_it(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    look = looked_at if scripts else pictured
    with server.house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district_id)
    context = chromium.new_context(viewport=view, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{server.url}/signin/invitation/{token}?lang={locale}")
    for words in promise_in(locale).words:
        expect(page.get_by_role("listitem").filter(has_text=words)).to_be_visible()
    look(page, tmp_path / "promise.png")
    by_tab(page, page.get_by_role("main").get_by_role("button"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/account**")
    page.context.close()
