"""Lessons in a frame of another site's page, and that page when it keeps what a tool leaves with it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import sqlalchemy as sa
from lti_server_demo_lms.profiles import PLAIN, PlatformStorage, Profile
from playwright.sync_api import BrowserContext, FrameLocator, Page, Route, expect

from tests.functional.street import SLUG, Street

LmsAs = Callable[[Profile], Street]
# Called with the user's preferences, and what else the browser is to be (`locale`).
Browser = Callable[..., BrowserContext]
LESSON, BUTTON = "turtle-garden", "Open in a new window"
MUTE = dataclasses.replace(PLAIN, storage=PlatformStorage(mute=True))
NO_STORAGE = dataclasses.replace(PLAIN, storage=None)
PATIENCE_MS = 20_000
# A platform's page that keeps what it is given, and then answers in ways that must not count.
KEEPER = """
const kept = new Map();
addEventListener("message", (event) => {
  const asked = event.data;
  const answer = { subject: asked.subject + ".response", message_id: asked.message_id, key: asked.key };
  if (asked.subject === "lti.put_data") {
    kept.set(asked.key, asked.value);
    event.source.postMessage({ ...answer, value: asked.value }, event.origin);
  }
  if (asked.subject === "lti.get_data") {
    const right = { ...answer, value: kept.get(asked.key) };
    HOW
    document.documentElement.dataset.asked = "yes";
  }
});
"""
AS_IT_SHOULD = "event.source.postMessage(right, event.origin);"
WRONG_ID = 'event.source.postMessage({ ...right, message_id: "f".repeat(32) }, event.origin);'


def unhurried(context: BrowserContext) -> BrowserContext:
    """The platform may take its time to answer, as it does on a busy machine; how long it may in earnest has a test."""

    def serve(route: Route) -> None:
        answer = route.fetch()
        script, hurried = answer.text(), "PATIENCE_MS = 2000;"
        assert hurried in script
        route.fulfill(response=answer, body=script.replace(hurried, f"PATIENCE_MS = {PATIENCE_MS};"))

    context.route("**/lti/static/platform_storage.js", serve)
    return context


def open_link(context: BrowserContext, here: Street, pupil: int = 0) -> tuple[Page, FrameLocator]:
    """A pupil signs in to the LMS and opens a lesson's page there; answers with that page and the frame of the tool."""
    page = context.new_page()
    page.goto(f"{here.lms_url}/{SLUG}/")
    page.locator(f"button[value='{here.pupils[pupil].id}']").click()
    page.wait_for_url("**/courses/**")
    course = here.lms.config.world.districts[0].courses[0]
    page.goto(f"{here.lms_url}/{SLUG}/links/{course.id}-{LESSON}")
    return page, page.frame_locator("iframe[title]:not([hidden])")


def solve(lesson: FrameLocator | Page) -> None:
    for _ in range(3):
        lesson.get_by_role("button", name="Forward", exact=True).click()
    lesson.get_by_role("button", name="Run", exact=True).click()
    expect(lesson.locator("#saving")).to_have_text("Saved.", timeout=PATIENCE_MS)


def sessions(here: Street) -> int:
    with here.house.database.tenant(here.district.id) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM session")).scalar_one())


def look(page: Page, name: str) -> None:
    folder = os.environ.get("LTI_SERVER_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
