"""What a pupil does in the sample lessons, for any pair of hands."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.hands import Hands, Touch
from tests.browser.lesson_server import TICKET, LessonServer

Opener = Callable[..., Page]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 850}


def launched(server: LessonServer, lesson: str, activity: str = "") -> str:
    return f"{server.url}/lessons/{lesson}?ticket={TICKET}" + (f"&activity={activity}" if activity else "")


def finish(page: Page, hand: Hands, button: str) -> None:
    hand.press(page.get_by_role("button", name=button, exact=True))
    expect(page.locator("#verdict")).to_have_attribute("data-kind", "good")
    expect(page.locator("#verdict")).to_contain_text("cannot be done with fewer")


def write_program(page: Page, hand: Hands, blocks: str) -> None:
    """F, L, R are blocks; a digit begins a repeat of so many times, "]" ends it."""
    names = {"F": "Forward", "L": "Turn left", "R": "Turn right", "]": "End of the repeat"}
    for sign in blocks:
        if sign.isdigit():
            page.get_by_label("How many times").select_option(sign)
            hand.press(page.get_by_role("button", name="Repeat", exact=True))
        else:
            hand.press(page.get_by_role("button", name=names[sign], exact=True))


def go_on(page: Page, hand: Hands) -> None:
    hand.press(page.get_by_role("button", name="Next:"))


def solve_first(page: Page) -> None:
    write_program(page, Touch(), "FFF")
    page.get_by_role("button", name="Run").tap()
