"""The demo clicked through: a pupil plays in the course's frame, and the score stands in the gradebook."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "demo.png"
PATIENCE_MS = 30_000


def _two_free_ports() -> int:
    """A port whose next is free too."""
    for port in range(18_400, 19_400, 2):
        with socket.socket() as one, socket.socket() as two:
            if one.connect_ex(("127.0.0.1", port)) and two.connect_ex(("127.0.0.1", port + 1)):
                return port
    raise AssertionError("no two free ports")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """`lti-server demo` in a fresh directory; answers with the LMS's address."""
    port = _two_free_ports()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("LTI_SERVER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "lti_server", "demo", "--port", str(port)],
        cwd=tmp_path,
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl+C" in line:
            break
    else:
        pytest.fail(f"the demo ended before it was ready, with exit code {process.wait(60)}; it says why above")
    yield f"http://127.0.0.1:{port + 1}"
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    process.stdout.close()


def _sign_in(page: Page, lms: str, kind: str) -> None:
    """As the first person of a kind whom the district's page offers."""
    page.goto(lms)
    page.get_by_role("link", name="North Valley").first.click()
    heading = {"teacher": "Teachers", "pupil": "Pupils"}[kind]
    page.locator(f"h3:text-is('{heading}') + form button[name=person]").first.click()


def _open_lesson(page: Page) -> FrameLocator:
    page.get_by_role("link", name="Turtle garden").first.click()
    return page.frame_locator("iframe")


@pytest.mark.timeout(300)
def test_a_pupil_plays_and_the_score_stands_in_the_gradebook(chromium: Browser, demo: str) -> None:
    context = chromium.new_context(locale="en", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    _sign_in(page, demo, "pupil")
    lesson = _open_lesson(page)
    for _ in range(3):
        lesson.get_by_role("button", name="Forward", exact=True).click()
    lesson.get_by_role("button", name="Run", exact=True).click()
    expect(lesson.locator("#saving")).to_have_text("Saved.", timeout=PATIENCE_MS)
    if os.environ.get("UPDATE_PICTURE"):
        page.screenshot(path=PICTURE)
    assert Axe().run(page).violations_count == 0
    page.goto(f"{demo}/north-valley/")
    _gradebook(page)
    score = page.locator("td .score").first
    for _ in range(60):
        if score.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(score).to_contain_text("/ 100")
    assert Axe().run(page).violations_count == 0
    context.close()


@pytest.mark.timeout(300)
def test_a_teacher_opens_the_lesson_and_sees_the_class(chromium: Browser, demo: str) -> None:
    context = chromium.new_context(locale="en", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    _sign_in(page, demo, "teacher")
    lesson = _open_lesson(page)
    expect(lesson.get_by_role("heading", name="Turtle garden")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(f"{demo}/north-valley/")
    _gradebook(page)
    assert page.locator("tbody tr").count() > 10
    context.close()


def _gradebook(page: Page) -> None:
    if (
        not page.get_by_role("link", name="Gradebook").count()
        and not page.get_by_role("link", name="My grades").count()
    ):
        page.locator("main ul.cards a").first.click()
    page.get_by_role("link", name="Gradebook").or_(page.get_by_role("link", name="My grades")).first.click()
