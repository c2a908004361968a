"""Signing in in a browser, without a script: to the provider, back, to the lessons, and out; no barriers on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oidc_provider_mock import run_server_in_thread
from playwright.sync_api import Page

from lti_server.db import Door, find_by
from lti_server.sign_in_parts import SignInHouse
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer, real_server
from tests.browser.test_connections import looked_at
from tests.peers.bare_platform import Platform, serving

SECRET = "a secret of the browser tests, long enough"


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[RealServer]:
    """A server whose district has connected an OpenID provider."""
    with run_server_in_thread() as provider, serving(Platform()) as platform:
        issuer = f"http://localhost:{provider.server_port}"
        with real_server(database_url, tmp_path, SECRET, platform, issuer) as real:
            with real.house.database.anyone() as connection:
                (found,) = find_by(connection, Door.DISTRICT, real.house.doors.of(Door.DISTRICT, "north"))
            config = {"issuer": issuer, "client_id": "lti-server", "client_secret": "a secret of this client"}
            SignInHouse(real.house).connections.connect(found.district_id, "oidc", config, by="test")
            yield real


WORDS = {
    "en": {"code": "Code of your school or district", "on": "Go on", "with": "Sign in with OpenID Connect",
           "yours": "Your lessons", "out": "Sign out", "open": "Open Turtle garden"},
    "fr": {"code": "Code de ton école ou de ton district", "on": "Continuer",
           "with": "Se connecter avec OpenID Connect", "yours": "Tes leçons", "out": "Se déconnecter",
           "open": "Ouvrir Le jardin de la tortue"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (DESKTOP, "en", True)],
    ids=["phone-fr-without-scripts", "desktop-en"],
)
def test_a_pupil_signs_in_opens_a_lesson_and_signs_out(
    view: Any, locale: str, scripts: bool, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    words = WORDS[locale]
    options = {"viewport": view, "java_script_enabled": scripts, "locale": {"en": "en-GB", "fr": "fr-FR"}[locale]}
    page = opened(f"{server.url}/signin", **options)
    seen(page, tmp_path, "signin", scripts)
    page.get_by_label(words["code"]).fill("nobody")
    page.get_by_role("button", name=words["on"]).click()
    seen(page, tmp_path, "unknown", scripts)
    page.get_by_label(words["code"]).fill("north")
    page.get_by_role("button", name=words["on"]).click()
    seen(page, tmp_path, "ways", scripts)
    page.get_by_role("button", name=words["with"]).or_(page.get_by_role("link", name=words["with"])).click()
    page.locator("input[name=sub]").fill("ada")
    page.locator("input[name=sub]").press("Enter")
    page.get_by_role("heading", name=words["yours"]).wait_for()
    assert page.url == f"{server.url}/learn"
    complaints.clear()  # the provider's page wants a style sheet of another site
    seen(page, tmp_path, "learn", scripts)
    page.locator("form[action$='/learn/turtle-garden'] button").click()
    page.wait_for_url(f"{server.url}/lessons/turtle-garden**")
    page.goto(f"{server.url}/learn")
    page.get_by_role("button", name=words["out"]).click()
    page.goto(f"{server.url}/learn")
    assert page.url == f"{server.url}/signin"
    assert not complaints


def seen(page: Page, folder: Path, name: str, scripts: bool) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    if scripts:  # axe is a script itself
        looked_at(page)
