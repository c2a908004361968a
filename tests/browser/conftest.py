"""Chromium, and the lessons on a server of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lti_server_demo_lms.profiles import Profile
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from lti_server.ids import SystemClock
from lti_server.settings import Settings
from tests.browser import framed_launches
from tests.browser.blocked_cookies import chromium_with
from tests.browser.chromium import ARGUMENTS
from tests.browser.hands import Hands, Keyboard, Touch
from tests.browser.lesson_moves import DESKTOP, Opener
from tests.browser.lesson_server import LessonServer, running
from tests.browser.real_server import RealServer, real_server
from tests.conftest import SECRET
from tests.functional.street import Street, street
from tests.peers.bare_platform import Platform, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs Chromium."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module, no longer: Playwright keeps an event loop running, and a worker needs its own."""
    path = os.environ.get("LTI_SERVER_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[RealServer]:
    """A server with a district whose platform answers, and a lesson on another site that does not."""
    with (
        serving(Platform()) as platform,
        real_server(database_url, tmp_path, SECRET, platform, "http://127.0.0.1:9") as real,
    ):
        yield real


@pytest.fixture(scope="session")
def _lessons_running() -> Iterator[LessonServer]:
    with running() as server:
        yield server


@pytest.fixture
def lesson_server(_lessons_running: LessonServer) -> LessonServer:
    """The server with nothing asked of it yet."""
    _lessons_running.reset()
    return _lessons_running


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console says: script errors and breaches of the content security policy."""
    return []


@pytest.fixture
def opened(chromium: Browser, complaints: list[str]) -> Iterator[Opener]:
    """Opens an address in a browser of its own, without waiting for movement."""
    contexts: list[BrowserContext] = []

    def open_page(url: str, **options: Any) -> Page:
        settings = {"viewport": DESKTOP, "reduced_motion": "reduce", "locale": "en-GB", **options}
        context = chromium.new_context(**settings)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(params=["keyboard", "touch"])
def hands(request: pytest.FixtureRequest) -> Callable[[Page], Hands]:
    return Keyboard if request.param == "keyboard" else lambda page: Touch()


@pytest.fixture(scope="module")
def playwright() -> Iterator[tuple[Playwright, str]]:
    path = os.environ.get("LTI_SERVER_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed (Debian, Ubuntu: apt-get install chromium)")
    with sync_playwright() as started:
        yield started, path


@pytest.fixture
def lms_as(settings: Settings, database_url: str, tmp_path: Path) -> Iterator[framed_launches.LmsAs]:
    """The LMS in the manner of a profile, on another site than the tool."""
    with ExitStack() as open_ones:

        def make(profile: Profile) -> Street:
            made = street(settings, database_url, SystemClock(), tmp_path / "lms", profile, lms_name="localhost")
            return open_ones.enter_context(made)

        yield make


@pytest.fixture
def browser(playwright: tuple[Playwright, str], tmp_path: Path) -> Iterator[framed_launches.Browser]:
    with ExitStack() as open_ones:

        def make(profile: dict[str, Any], locale: str = "en-GB") -> BrowserContext:
            return open_ones.enter_context(chromium_with(*playwright, tmp_path / "browser", profile, locale))

        yield make
