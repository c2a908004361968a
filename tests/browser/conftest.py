"""Chromium for the tests of pages: the installed one, headless, quiet, and on loopback alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

HERE = Path(__file__).parent
PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LONGEST_WAIT_MS = 15_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is marked, so that `-m 'not browser'` leaves them out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def chromium_path() -> str | None:
    """`LTI_SERVER_TEST_CHROMIUM`, else where distributions put it."""
    named = os.environ.get("LTI_SERVER_TEST_CHROMIUM")
    found = [place for place in ((named,) if named else PLACES) if shutil.which(place)]
    return found[0] if found else None


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium: install the package chromium, or name one in LTI_SERVER_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def browser_context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser with nothing in it: no cookie, no cache."""
    context = chromium.new_context(locale="en-US", viewport={"width": 1100, "height": 900})
    context.set_default_timeout(LONGEST_WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext) -> Page:
    return browser_context.new_page()
