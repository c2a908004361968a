"""Connecting an account in a browser: to the provider, back, a preview, and both are one; no barriers on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from lti_server.accounts.permissions import StaffRole
from tests.browser.lesson_moves import DESKTOP, PHONE
from tests.browser.real_server import RealServer
from tests.browser.test_own_page import looked_at
from tests.browser.test_people import _pictured as pictured
from tests.browser.test_signing_in import server

__all__ = ["server"]
LIS = "https://purl.imsglobal.org/spec/lti/claim/lis"
VIEWS = pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (PHONE, "fr", True), (DESKTOP, "en", True)],
    ids=["phone-fr-without-scripts", "phone-fr", "desktop-en"],
)


def people(server: RealServer) -> int:
    with server.house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    with server.house.database.tenant(district_id) as connection:
        found = connection.execute(sa.text("SELECT count(*) FROM person WHERE merged_into IS NULL")).scalar_one()
    assert isinstance(found, int)
    return found


def at_the_provider(page: Page, sub: str) -> None:
    page.locator("input[name=sub]").fill(sub)
    page.locator("input[name=sub]").press("Enter")


@VIEWS
def test_a_pupil_connects_an_account_that_was_used_before_and_both_are_one(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    look = looked_at if scripts else pictured
    context = chromium.new_context(viewport=view, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{server.url}/auth/oidc/login?district=north")
    at_the_provider(page, "ada")
    page.wait_for_url(f"{server.url}/learn**")
    context.clear_cookies()
    page.goto(server.launch("turtle-garden", lti_launch_presentation={"locale": locale}))
    with context.expect_page() as opening:
        page.locator("form.own-page button").click()
    page = opening.value
    look(page, tmp_path / "accounts.png")
    page.locator("button[name=provider]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", locale)
    look(page, tmp_path / "begin.png")
    page.get_by_role("main").get_by_role("button").click()
    at_the_provider(page, "ada")
    page.wait_for_url(f"{server.url}/me/accounts/confirm")
    look(page, tmp_path / "confirm.png")
    assert people(server) == 2
    page.locator("form[action$='/me/accounts/confirm'] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    look(page, tmp_path / "one.png")
    assert people(server) == 1
    context.close()


@VIEWS
def test_an_administrator_compares_two_merges_them_and_takes_it_back(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    look = looked_at if scripts else pictured
    for sub in ("one", "two"):
        server.launch("turtle-garden", sub=sub, **{LIS: {"person_sourcedid": "4711"}})
    with server.house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district_id)
    context = chromium.new_context(viewport=view, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{server.url}/signin/invitation/{token}?lang={locale}")
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/district/people?lang={locale}")
    page.get_by_role("radio").first.check()
    page.locator("#words").fill("The school says that both are one.")
    page.locator("main form button").click()
    page.locator("a[href*='/district/people/same']").click()
    look(page, tmp_path / "candidates.png")
    page.locator("form[action*='/compare'] button").click()
    look(page, tmp_path / "preview.png")
    page.locator("form[action*='/merge'] button").click()
    page.wait_for_url("**/district/people/*")
    assert people(server) == 1
    page.goto(f"{server.url}/district/people/same")
    look(page, tmp_path / "merged.png")
    page.locator("form[action*='/undo'] button").click()
    page.wait_for_url("**/district/people/same**")
    assert people(server) == 2
    context.close()
