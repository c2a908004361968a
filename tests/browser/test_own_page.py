"""`/me` in a browser: from a lesson, without barriers, at any width, in both languages, without a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from lti_server.ids import SessionId, new_id
from lti_server.privacy.rights import Asked
from tests.browser.lesson_moves import DESKTOP, PHONE
from tests.browser.real_server import RealServer
from tests.peers.bare_platform import MEMBERSHIP


def looked_at(page: Page, picture: Path) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=picture, full_page=True)


def seen(server: RealServer) -> None:
    """The pupil's class has a teacher, and somebody of the district's staff has looked."""
    server.launch("turtle-garden", sub="teacher-1", name="Ms Rivers", lti_roles=[MEMBERSHIP + "Instructor"])
    server.launch("turtle-garden")
    house = server.house
    with house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    with house.database.tenant(district_id) as connection:
        pupil = connection.exec_driver_sql("SELECT id FROM person WHERE kind = 'pupil'").scalar_one()
    session = SessionId(new_id())
    house.rights.access.open(district_id, session, "request", "The family telephoned on Monday and asked for a copy.")
    access = house.rights.access.must(district_id, session)
    house.rights.access.search(district_id, session, "Amina")
    house.rights.rights.show(district_id, pupil, access.asked("person show"))
    house.rights.correct.put(district_id, pupil, "nickname", "Mina", access.asked("person correct"))
    house.rights.rights.export(district_id, pupil, Asked(by="cli:root", act="person export", reason="For the family."))


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_pupil_goes_from_a_lesson_to_the_own_page_asks_and_closes_it(
    view: Any, locale: str, scripts: bool, server: RealServer, chromium: Browser, tmp_path: Path
) -> None:
    seen(server)
    context = chromium.new_context(viewport=view, java_script_enabled=scripts, accept_downloads=True)
    lesson = context.new_page()
    look = looked_at if scripts else lambda page, picture: page.screenshot(path=picture, full_page=True)
    lesson.goto(server.launch("turtle-garden", lti_launch_presentation={"locale": locale}))
    look(lesson, tmp_path / "lesson.png")
    with context.expect_page() as opening:
        lesson.locator("form.own-page button").click()
    page = opening.value
    expect(page.locator("h1")).to_be_visible()
    assert "ticket" not in page.url
    expect(page.locator("html")).to_have_attribute("lang", locale)
    expect(page.get_by_text("Amina Example")).to_be_visible()
    expect(page.get_by_text("Ms Rivers")).to_be_visible()
    expect(page.get_by_text("The family telephoned on Monday")).to_have_count(3)
    look(page, tmp_path / "me.png")
    with page.expect_download() as download:
        page.locator("form[action*='/me/export'] button").click()
    assert "Amina" in Path(download.value.path()).read_text(encoding="utf-8")
    page.locator("input[value=erase]").check()
    page.locator("form[action*='/me/ask'] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    look(page, tmp_path / "asked.png")
    page.locator("form[action*='/me/close'] button").click()
    expect(page.get_by_role("status")).to_be_visible()
    look(page, tmp_path / "closed.png")
    page.goto(f"{server.url}/me?lang={locale}")
    expect(page.get_by_text("Amina Example")).to_have_count(0)
    look(page, tmp_path / "how.png")
    context.close()
