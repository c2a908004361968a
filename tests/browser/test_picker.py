"""The picker as a teacher meets it: in a frame of any width, by keyboard, without scripts, in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, Route, expect

from tests import world
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer, real_server
from tests.conftest import SECRET
from tests.functional.picking import DL, settings
from tests.peers.bare_platform import MEMBERSHIP, Platform, serving


@pytest.fixture
def street(database_url: str, tmp_path: Path) -> Iterator[RealServer]:
    """The server with an LMS that asks it for lessons."""
    with (
        serving(Platform()) as platform,
        real_server(database_url, tmp_path, SECRET, platform, "http://127.0.0.1:9") as real,
    ):
        yield real


def picker(server: RealServer, locale: str = "en", **changes: Any) -> str:
    """The address of a picker that a teacher has just opened."""
    client = server.app.test_client()
    begun = world.begin(client, server.platform)
    said = server.platform.claims(
        begun.nonce, server.house.clock.now(), lti_message_type="LtiDeepLinkingRequest",
        lti_roles=[MEMBERSHIP + "Instructor"], lti_launch_presentation={"locale": locale},
        **{DL + "deep_linking_settings": settings(**changes)},
    )  # fmt: skip
    answer = client.post("/lti/launch", data={"id_token": server.platform.sign(said), "state": begun.state})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def taken(page: Page) -> list[Request]:
    """What reaches the LMS, which answers with a page of its own."""
    seen: list[Request] = []

    def answer(route: Route) -> None:
        seen.append(route.request)
        route.fulfill(body="<p>taken</p>", content_type="text/html")

    page.route("https://lms.example/**", answer)
    return seen


@pytest.mark.parametrize("view", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("locale", ["en", "fr"])
def test_the_picker_has_no_barriers(
    view: Any, locale: str, street: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    page = opened(picker(street, locale), viewport=view)
    expect(page.locator("h1")).to_have_text(
        "Choose lessons for your course" if locale == "en" else "Choisir des leçons pour votre cours"
    )
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "picker.png", full_page=True)
    assert not complaints


def test_a_choice_by_keyboard_reaches_the_course(street: RealServer, opened: Opener, complaints: list[str]) -> None:
    page = opened(picker(street))
    seen = taken(page)
    page.get_by_role("checkbox", name="Turtle", exact=False).first.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Add to the course").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("taken")).to_be_visible()
    assert urlsplit(seen[0].url).path == "/deep-link/return"
    assert list(parse_qs(seen[0].post_data or "")) == ["JWT"]
    assert not complaints


def test_a_choice_without_scripts_takes_one_press_more(street: RealServer, opened: Opener) -> None:
    page = opened(picker(street), java_script_enabled=False)
    seen = taken(page)
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Add to the course").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("taken")).to_be_visible()
    assert list(parse_qs(seen[0].post_data or "")) == ["JWT"]


def test_a_choice_that_is_not_in_order_says_why_and_keeps_what_was_typed(street: RealServer, opened: Opener) -> None:
    page = opened(picker(street))
    page.get_by_label("Points for a whole lesson or puzzle").fill("many")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Add to the course").click()
    expect(page.get_by_role("alert")).to_contain_text("Give the points as a number")
    expect(page.get_by_label("Points for a whole lesson or puzzle")).to_have_value("many")
    expect(page.get_by_role("checkbox").first).to_be_checked()
