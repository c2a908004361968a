"""The pages between login and launch as a reader without cookies meets them, and what they lead to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from lti_server_demo_lms import messages
from lti_server_demo_lms.profiles import PLAIN
from playwright.sync_api import BrowserContext, Frame, Page, Route, expect

from tests.browser.blocked_cookies import NOTHING
from tests.browser.framed_launches import (
    AS_IT_SHOULD,
    BUTTON,
    KEEPER,
    MUTE,
    NO_STORAGE,
    PATIENCE_MS,
    WRONG_ID,
    Browser,
    LmsAs,
    look,
    open_link,
    sessions,
    solve,
    unhurried,
)
from tests.browser.lesson_moves import DESKTOP, PHONE
from tests.functional.picking import DL, settings
from tests.functional.street import Street
from tests.peers.bare_platform import LTI, MEMBERSHIP

OF_A_LINK = {LTI + name for name in ("resource_link", "target_link_uri", "custom")}
OPENING = "Opening the lesson…"
HEADING = {"en-GB": "This lesson opens in a new window", "fr-FR": "Cette leçon s'ouvre dans une nouvelle fenêtre"}


def to_login_page(context: BrowserContext, here: Street) -> Page:
    """Neither cookie nor storage: the login stops."""
    return open_link(context, here)[0]


def to_refused_launch(context: BrowserContext, here: Street) -> Page:
    """The same, and the login goes on in the frame, as it does without scripts."""
    page, frame = open_link(context, here)
    expect(frame.locator("[data-blocked] button")).to_be_visible()
    expect(frame.locator("a[data-onward]")).to_be_hidden()
    frame.locator("a[data-onward]").evaluate("link => link.click()")
    return page


def to_asking_page(context: BrowserContext, here: Street) -> Page:
    """The LMS takes the binding, and does not give it back."""
    answering(context, WRONG_ID)
    return open_link(context, here)[0]


WAYS = {
    "login": (NO_STORAGE, to_login_page),
    "refused": (NO_STORAGE, to_refused_launch),
    "asking": (PLAIN, to_asking_page),
}


def answering(context: BrowserContext, how: str) -> None:
    """The LMS's page keeps what it is given, and answers a question for it so."""
    script = KEEPER.replace("HOW", how)
    context.route("**/static/storage.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))


def tool_frame(page: Page, host: str) -> Frame:
    (found,) = [one for one in page.frames if urlsplit(one.url).netloc == host]
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("locale", HEADING)
@pytest.mark.parametrize("way", WAYS)
def test_the_pages_that_offer_a_new_window_have_no_barriers(
    lms_as: LmsAs, browser: Browser, way: str, locale: str
) -> None:
    profile, go = WAYS[way]
    here, context = lms_as(profile), browser(NOTHING, locale=locale)
    page = go(context, here)
    seen = page.frame_locator("iframe[title]:not([hidden])")
    expect(seen.locator("h1:visible")).to_have_text(HEADING[locale])
    expect(seen.locator("code")).to_have_count(1 if way == "refused" else 0)
    frame = tool_frame(page, urlsplit(here.tool_url).netloc)
    assert frame.title() == HEADING[locale]
    assert frame.evaluate("document.documentElement.lang") == locale[:2]
    for name, view in {"phone": PHONE, "desktop": DESKTOP}.items():
        page.set_viewport_size(view)
        look(page, f"cookieless-{way}-{locale[:2]}-{name}")
        found = Axe().run(frame)
        assert found.violations_count == 0, found.generate_report()
        assert frame.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", ["refused", "asking"])
def test_after_the_login_the_button_still_opens_the_lesson_in_a_new_window(
    lms_as: LmsAs, browser: Browser, way: str
) -> None:
    profile, go = WAYS[way]
    here, context = lms_as(profile), browser(NOTHING)
    page = go(context, here)
    frame = page.frame_locator("iframe[title]:not([hidden])")
    if way == "refused":
        expect(frame.locator("code")).to_be_visible()
    else:
        expect(page.locator("html")).to_have_attribute("data-asked", "yes")
    with page.expect_popup() as popup:
        frame.get_by_role("button", name=BUTTON).click()
    solve(popup.value)
    assert sessions(here) == 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", ["login", "asking"])
def test_the_platform_has_two_seconds_to_answer(lms_as: LmsAs, browser: Browser, way: str) -> None:
    here, context = lms_as(MUTE if way == "login" else PLAIN), browser(NOTHING)
    if way == "asking":
        answering(context, WRONG_ID)
    context.clock.install()
    # The page's clock runs from here on: where a machine is slow, a moment that is now is past already.
    context.clock.pause_at(here.house.clock.now() + timedelta(seconds=30))
    page, frame = open_link(context, here)
    if way == "asking":
        expect(page.locator("html")).to_have_attribute("data-asked", "yes")
    expect(frame.get_by_role("heading", name=OPENING)).to_be_visible()
    url = here.tool_url.removeprefix("http://")
    tool_frame(page, url).wait_for_load_state()
    context.clock.run_for(1_999)
    expect(frame.get_by_role("heading", name=OPENING)).to_be_visible()
    assert frame.get_by_role("button", name=BUTTON).count() == 0
    context.clock.run_for(1)
    expect(frame.get_by_role("button", name=BUTTON)).to_be_visible()


@pytest.mark.timeout(180)
def test_the_platform_keeps_no_binding_that_was_used(lms_as: LmsAs, browser: Browser) -> None:
    here, context = lms_as(PLAIN), unhurried(browser(NOTHING))
    answering(context, AS_IT_SHOULD)
    page, lesson = open_link(context, here)
    solve(lesson)
    assert page.evaluate("[...kept.keys()].length") == 1
    assert page.evaluate("[...kept.values()]") == [None]


@pytest.mark.timeout(180)
def test_with_every_cookie_blocked_a_teacher_s_choice_reaches_the_course(
    lms_as: LmsAs, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, context = lms_as(PLAIN), unhurried(browser(NOTHING))
    answering(context, AS_IT_SHOULD)
    back = f"{here.lms_url}/deep-link/return"
    launch = messages.claims

    def asking(*given: Any) -> dict[str, Any]:
        """What the LMS would say of a lesson, made a request for lessons (Deep Linking 2.0, 4.4)."""
        said = {name: value for name, value in launch(*given).items() if name not in OF_A_LINK}
        return {
            **said, LTI + "message_type": "LtiDeepLinkingRequest", LTI + "roles": [MEMBERSHIP + "Instructor"],
            DL + "deep_linking_settings": settings(deep_link_return_url=back),
        }  # fmt: skip

    monkeypatch.setattr(messages, "claims", asking)
    returned: list[str] = []

    def take(route: Route) -> None:
        returned.append(route.request.post_data or "")
        route.fulfill(body="<p>taken</p>", content_type="text/html")

    context.route(back, take)
    page, picker = open_link(context, here)
    chosen = picker.get_by_role("heading", name="Choose lessons for your course")
    expect(chosen).to_be_visible(timeout=PATIENCE_MS)
    look(page, "cookieless-picker")
    picker.get_by_role("checkbox", name="Turtle", exact=False).first.check()
    picker.get_by_role("button", name="Add to the course").click()
    expect(picker.get_by_text("taken")).to_be_visible()
    assert [list(parse_qs(one)) for one in returned] == [["JWT"]]
    assert page.evaluate("[...kept.values()]") == [None]
    assert [one["name"] for one in context.cookies(here.tool_url)] == []
