"""The page of a deletion that somebody asked Facebook for, in a browser: no barriers, in both languages, on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from lti_server.db import Door, open_door
from lti_server.ids import new_id
from lti_server.privacy.deletion_codes import DeletionCodes
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer

RECEIPT = (
    "INSERT INTO signal_receipt (id, district_id, grant_id, provider, kind, outcome, sessions, occurred_at,"
    " received_at, acted_at, expires_at) SELECT %s, district_id, id, 'facebook', 'data_deletion', 'erasure_asked', 1,"
    " now(), now(), now(), now() + '90 days' FROM grants LIMIT 1"
)


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_the_page_of_a_deletion_has_no_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    house = server.house
    codes, receipt_id = DeletionCodes(house.ring), new_id()
    code, nobody = codes.of("somebody's"), codes.of("nobody's")
    with house.database.anyone() as connection:
        (district_id,) = connection.exec_driver_sql("SELECT district_ids()").scalars()
    with house.database.tenant(district_id) as connection:
        connection.exec_driver_sql(RECEIPT, (receipt_id,))
        open_door(connection, Door.DELETION, house.doors.of(Door.DELETION, code), receipt_id)
    title = {"en": "Your request to delete data", "fr": "Votre demande d’effacement"}[locale]
    for number, one in enumerate((code, nobody)):
        page = opened(f"{server.url}/privacy/deletion/{one}?lang={locale}", viewport=view)
        expect(page.locator("h1")).to_have_text(title)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=tmp_path / f"{number}.png", full_page=True)
    assert not complaints
