"""Launched lessons on the whole server: here and on another site, the work is saved and there again next time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.hands import Touch
from tests.browser.lesson_moves import Opener, finish, write_program
from tests.browser.lesson_site import serving, site
from tests.browser.real_server import RealServer, real_server
from tests.conftest import SECRET
from tests.peers.bare_platform import MEMBERSHIP, Platform
from tests.peers.bare_platform import serving as serving_platform


@pytest.fixture
def server(chromium: Browser, database_url: str, tmp_path: Path) -> Iterator[tuple[RealServer, str]]:
    """The server, and the page of the sample lesson on its own origin."""
    address: list[str] = []
    with (
        serving(site(address)) as own_origin,
        serving_platform(Platform()) as platform,
        real_server(database_url, tmp_path, SECRET, platform, own_origin) as real,
    ):
        address.append(real.url)
        real.add_lesson(f"{own_origin}/lesson.html")
        yield real, f"{own_origin}/lesson.html"


def test_what_a_pupil_has_done_is_there_again_at_the_next_launch(
    opened: Opener, server: tuple[RealServer, str], complaints: list[str]
) -> None:
    real, _ = server
    page = opened(real.launch("turtle-garden"), has_touch=True)
    write_program(page, Touch(), "FFF")
    finish(page, Touch(), "Run")
    expect(page.locator("#saving")).to_have_text("Saved.")
    again = opened(real.launch("turtle-garden"), has_touch=True)
    expect(again.get_by_role("heading", name="Round the corner")).to_be_visible()
    again.get_by_role("link", name="First steps (solved in the best way)").tap()
    expect(again.locator(".program-list > li")).to_have_count(3)
    assert not complaints


def test_a_reload_goes_on_in_the_browser_that_has_the_cookie(opened: Opener, server: tuple[RealServer, str]) -> None:
    page = opened(server[0].launch("parcel-scales"))
    expect(page.locator("#saving")).to_have_text("Your work is saved for you and your teacher.")
    page.reload()
    expect(page.locator("#saving")).to_have_text("Your work is saved for you and your teacher.")
    page.context.clear_cookies()
    page.reload()
    expect(page.get_by_role("heading", name="Open it again from your course")).to_be_visible()


def test_a_written_answer_and_a_teachers_look_are_taken_as_designed(
    opened: Opener, server: tuple[RealServer, str]
) -> None:
    page = opened(server[0].launch("turtle-garden"), has_touch=True)
    page.get_by_role("link", name="Round the hedge").tap()
    write_program(page, Touch(), "3FFFL]")
    finish(page, Touch(), "Run")
    page.get_by_label("How did you find the part that repeats?").fill("Each side is the same.")
    page.get_by_role("button", name="Send the answer").tap()
    expect(page.locator("#verdict")).to_contain_text("Thank you")
    expect(page.locator("#saving")).to_have_text("Saved.")
    teacher = opened(server[0].launch("turtle-garden", sub="teacher-1", lti_roles=[MEMBERSHIP + "Instructor"]))
    teacher.get_by_role("button", name="Forward").click()
    teacher.get_by_role("button", name="Run").click()
    expect(teacher.locator("#saving")).to_contain_text("without being a pupil")


def test_the_sample_of_the_how_to_saves_and_resumes_from_its_own_site(
    opened: Opener, server: tuple[RealServer, str], complaints: list[str]
) -> None:
    real, sample = server
    page = opened(real.launch("read-the-lamps"))
    expect(page.locator("#saving")).to_have_text("Your work is saved.")
    assert page.url == sample
    page.get_by_role("button", name="5").click()
    expect(page.locator("#saving")).to_have_text("Saved.")
    again = opened(real.launch("read-the-lamps"))
    expect(again.locator("#saving")).to_have_text("You have solved this before.")
    assert [one for one in complaints if "404" not in one] == []
