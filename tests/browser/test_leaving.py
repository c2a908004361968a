"""Leaving a provider on `/me` in a browser, by keyboard, with scripts and without; no barriers on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.lesson_moves import DESKTOP, PHONE
from tests.browser.real_server import RealServer
from tests.browser.test_linking import at_the_provider
from tests.browser.test_own_page import looked_at
from tests.browser.test_people import _pictured as pictured
from tests.browser.test_signing_in import server

__all__ = ["server"]
VIEWS = pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (PHONE, "fr", True), (DESKTOP, "en", True)],
    ids=["phone-fr-without-scripts", "phone-fr", "desktop-en"],
)
SPOKEN = {"en": "en-GB", "fr": "fr-FR"}
GONE = {"en": "not connected any more", "fr": "n’est plus relié"}
LEFT = {"en": "Disconnected", "fr": "Déconnecté"}


def by_tab(page: Page, wanted: Locator) -> None:
    """Nothing but the keyboard leads to it, from the top of the page."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError("the keyboard does not come to it")


def linked(server: RealServer, context: BrowserContext, locale: str) -> Page:
    """A pupil of an LMS has connected an account at the provider, and has their own page before them."""
    page = context.new_page()
    page.goto(server.launch("turtle-garden", lti_launch_presentation={"locale": locale}))
    with context.expect_page() as opening:
        page.locator("form.own-page button").click()
    page = opening.value
    page.locator("button[name=provider]").click()
    page.get_by_role("main").get_by_role("button").click()
    at_the_provider(page, "ada")
    expect(page.get_by_role("status")).to_be_visible()
    return page


@VIEWS
def test_a_pupil_leaves_a_provider_by_keyboard_and_its_account_leads_to_them_no_more(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    look = looked_at if scripts else pictured
    context = chromium.new_context(viewport=view, java_script_enabled=scripts, locale=SPOKEN[locale])
    page = linked(server, context, locale)
    leave = page.locator("form[action*='/me/accounts/disconnect'] button")
    expect(leave).to_have_count(1)
    look(page, tmp_path / "connected.png")
    by_tab(page, leave)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/me**")
    expect(page.locator("section[aria-labelledby=accounts]")).to_contain_text(GONE[locale])
    expect(leave).to_have_count(0)
    look(page, tmp_path / "left.png")
    context.close()


@VIEWS
def test_whoever_leaves_the_account_by_which_they_are_here_is_signed_out_and_told_so(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    look = looked_at if scripts else pictured
    context = chromium.new_context(viewport=view, java_script_enabled=scripts, locale=SPOKEN[locale])
    linked(server, context, locale)
    context.clear_cookies()
    page = context.new_page()
    page.goto(f"{server.url}/auth/oidc/login?district=north&lang={locale}")
    at_the_provider(page, "ada")
    page.wait_for_url(f"{server.url}/learn**")
    page.goto(f"{server.url}/learn?lang={locale}")
    page.locator("form[action*='/me/open'] button").click()
    leave = page.locator("form[action*='/me/accounts/disconnect'] button")
    by_tab(page, leave)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(LEFT[locale])
    look(page, tmp_path / "disconnected.png")
    page.goto(f"{server.url}/learn")
    page.wait_for_url(f"{server.url}/signin**")
    context.close()
