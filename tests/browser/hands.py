"""Ways in which a person works a page: with the keyboard alone, or by touch."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Locator, Page

MOST_TABS = 80
IS_FOCUSED = "element => element === document.activeElement"


class Hands(Protocol):
    name: str

    def press(self, target: Locator) -> None: ...


class Keyboard:
    """Tab until the target has the focus, then Space: as without a mouse. Never moves the focus by script."""

    name = "keyboard"

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, target: Locator) -> None:
        for _ in range(MOST_TABS):
            if target.evaluate(IS_FOCUSED):
                return
            self._page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {target}")

    def press(self, target: Locator) -> None:
        self.reach(target)
        self._page.keyboard.press("Enter" if target.evaluate("element => element.tagName") == "A" else "Space")


class Touch:
    """Fingers on a phone."""

    name = "touch"

    def press(self, target: Locator) -> None:
        target.tap()
