"""The inspector in a browser: no barriers, at any width, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lti_server.accounts.permissions import StaffRole
from lti_server.ids import DistrictId
from lti_server.lti.notice_handlers import REFUSES
from tests import world
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer
from tests.functional import notifying

COURSE = "Mathematics and Computational Thinking for Grade 6, Period 3"


def tell_of_notices_and_courses(server: RealServer, district: DistrictId) -> None:
    """A notice has come, the next ones are not to be had, and a course is not divided."""
    platform, house = server.platform, server.house
    server.launch("turtle-garden", lti_context={"id": "course-6", "title": COURSE})
    answer = notifying.send(server.app.test_client(), platform.sign(notifying.claims(platform, house)))
    assert answer.status_code == 200, answer.text
    with house.database.tenant(district) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO notice_handler (deployment_row_id, district_id, service_url, notice_types, handler, state,"
                " reason) SELECT id, district_id, 'https://lms.example/notices', '{LtiHelloWorldNotice}',"
                " 'https://lessons.example/lti/notices', 'failed', :reason FROM deployment"
            ),
            {"reason": REFUSES},
        )
        divided = connection.execute(
            sa.text("UPDATE section SET division = 'untold' WHERE name = :name"), {"name": COURSE}
        )
        assert divided.rowcount == 1


@pytest.mark.parametrize("view", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("locale", ["en", "fr"])
def test_the_inspector_has_no_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    with server.house.database.anyone() as connection:
        (district,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    server.launch("turtle-garden")
    world.launch(server.app.test_client(), server.platform, server.house, lti_version="11.3")
    tell_of_notices_and_courses(server, district)
    (registered,) = server.house.registrations.every(district)
    token, _ = server.house.invitations.invite(StaffRole.DISTRICT_ADMIN, district)
    page = opened(f"{server.url}/signin/invitation/{token}", viewport=view)
    page.get_by_role("main").get_by_role("button").click()
    page.goto(f"{server.url}/platforms?lang={locale}")
    page.get_by_role("link", name=server.platform.issuer).click()
    expect(page.locator("h1")).to_have_text("Launches and grades" if locale == "en" else "Ouvertures et notes")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "inspector.png", full_page=True)
    shown = page.inner_text("main")
    words = (
        ("Notices of the LMS", "taken in", "not to be had")
        if locale == "en"
        else ("Notifications de la plateforme", "reçue", "impossibles à obtenir")
    )
    for said in (registered.platform.issuer, COURSE, *words):
        assert said in shown
    assert not complaints
