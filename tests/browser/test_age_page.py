"""The one question of a first sign-in in a browser, without a script: a wrong answer, a right one, and no barriers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lti_server.privacy import districts
from tests import world
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer
from tests.browser.test_signing_in import WORDS as SIGN_IN
from tests.browser.test_signing_in import seen, server
from tests.functional.sign_in.aged import AGED

__all__ = ["server"]

WORDS = {
    "en": {"age": "Your age in whole years", "on": "Go on", "wrong": "Type a number, such as 12."},
    "fr": {"age": "Ton âge en années révolues", "on": "Continuer", "wrong": "Écris un nombre, par exemple 12."},
}


@pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (DESKTOP, "en", True)],
    ids=["phone-fr-without-scripts", "desktop-en"],
)
def test_a_pupil_says_how_old_they_are_with_the_keyboard_alone(
    view: Any, locale: str, scripts: bool, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    words = WORDS[locale]
    (district,) = districts.every(server.house.database, server.house.ring)
    world.sign(server.house, district, world.contract(server.house, more=AGED))
    options = {"viewport": view, "java_script_enabled": scripts, "locale": {"en": "en-GB", "fr": "fr-FR"}[locale]}
    page = opened(f"{server.url}/signin?district=north", **options)
    page.get_by_role("link", name=SIGN_IN[locale]["with"]).or_(
        page.get_by_role("button", name=SIGN_IN[locale]["with"])
    ).click()
    page.locator("input[name=sub]").fill("ada")
    page.locator("input[name=sub]").press("Enter")
    page.wait_for_url(f"{server.url}/age")
    complaints.clear()  # the provider's page wants a style sheet of another site
    page.get_by_label(words["age"]).wait_for()
    seen(page, tmp_path, "age", scripts)
    page.get_by_label(words["age"]).fill("abc")
    page.get_by_label(words["age"]).press("Enter")
    page.get_by_text(words["wrong"]).wait_for()
    seen(page, tmp_path, "age-wrong", scripts)
    page.get_by_label(words["age"]).fill("11")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=SIGN_IN[locale]["yours"]).wait_for()
    page.goto(f"{server.url}/age")
    assert page.url == f"{server.url}/learn"  # nobody answers a second time
    assert not [one for one in complaints if "422" not in one]
