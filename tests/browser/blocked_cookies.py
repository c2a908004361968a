"""Chromium as a school sets it: third-party cookies blocked, with or without the partitioned ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Playwright

from tests.browser.chromium import ARGUMENTS

THIRD_PARTY = {"cookie_controls_mode": 1, "block_third_party_cookies": True}
# Nothing of the tool's host may be kept under the LMS's, `Partitioned` or not; what is not in a frame is as ever.
NOTHING = {**THIRD_PARTY, "content_settings": {"exceptions": {"cookies": {"127.0.0.1,localhost": {"setting": 2}}}}}


@contextmanager
def chromium_with(
    playwright: Playwright, executable: str, folder: Path, profile: dict[str, Any], locale: str = "en-GB"
) -> Iterator[BrowserContext]:
    """A browser of its own whose user has these preferences."""
    preferences = folder / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": profile}), encoding="utf-8")
    context = playwright.chromium.launch_persistent_context(
        folder, executable_path=executable, args=ARGUMENTS, locale=locale, viewport={"width": 1280, "height": 850}
    )
    context.set_default_timeout(15_000)
    yield context
    context.close()
