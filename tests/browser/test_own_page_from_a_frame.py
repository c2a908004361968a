"""`/me` from a lesson that an LMS shows in a frame, in browsers that keep none of the tool's cookies there."""

from __future__ import annotations

from typing import Any

import pytest
from lti_server_demo_lms.profiles import PLAIN
from playwright.sync_api import expect

from tests.browser.blocked_cookies import NOTHING, THIRD_PARTY
from tests.browser.framed_launches import Browser, LmsAs, open_link, solve, unhurried


@pytest.mark.parametrize("cookies", [THIRD_PARTY, NOTHING], ids=["partitioned cookies", "no cookies"])
def test_from_a_frame_in_the_lms_the_page_opens_in_a_tab_of_its_own_and_the_lesson_goes_on(
    cookies: dict[str, Any], lms_as: LmsAs, browser: Browser
) -> None:
    here = lms_as(PLAIN)
    context = unhurried(browser(cookies))
    _, lesson = open_link(context, here)
    expect(lesson.locator("form.own-page")).to_be_visible(timeout=20_000)
    with context.expect_page() as opening:
        lesson.locator("form.own-page button").click()
    page = opening.value
    expect(page.get_by_text(here.pupils[0].name).first).to_be_visible()
    assert page.url.startswith(f"{here.tool_url}/me")
    solve(lesson)
    with context.expect_page() as again:
        lesson.locator("form.own-page button").click()
    expect(again.value.get_by_text(here.pupils[0].name).first).to_be_visible()
    again.value.locator("form[action*='/me/close'] button").click()
    expect(again.value.get_by_role("status")).to_be_visible()
    with context.expect_page() as closed:
        lesson.locator("form.own-page button").click()
    expect(closed.value.get_by_text("Open a lesson from your course")).to_be_visible()
