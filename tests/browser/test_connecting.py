"""Connecting a provider in a browser: the list, a form with faults and without, and what it made; no barriers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oidc_provider_mock import run_server_in_thread
from playwright.sync_api import Page, expect

from lti_server.accounts.permissions import StaffRole
from lti_server.privacy import districts
from lti_server.sign_in_parts import SignInHouse
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer, real_server
from tests.browser.test_connections import looked_at
from tests.peers.bare_platform import Platform, serving
from tests.peers.clever import NORTH, Clever
from tests.peers.clever import running as clever_running

SECRET = "a secret of the browser tests, long enough"
WORDS = {
    "en": {"new": "Connect a provider", "connect": "Connect", "mend": "To be mended: 2", "well": "The test went well"},
    "fr": {"new": "Connecter un fournisseur", "connect": "Connecter", "mend": "À corriger : 2",
           "well": "Le test a réussi"},
}  # fmt: skip


@pytest.fixture
def provider() -> Iterator[str]:
    with run_server_in_thread() as running:
        yield f"http://localhost:{running.server_port}"


@pytest.fixture
def server(database_url: str, tmp_path: Path, provider: str) -> Iterator[RealServer]:
    with serving(Platform()) as platform, real_server(database_url, tmp_path, SECRET, platform, provider) as real:
        yield real


@pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (DESKTOP, "en", True), (PHONE, "en", True)],
    ids=["phone-fr-without-scripts", "desktop-en", "phone-en"],
)
def test_an_administrator_connects_a_provider(
    view: Any, locale: str, scripts: bool, provider: str, server: RealServer, opened: Opener, complaints: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    words = WORDS[locale]
    page = admin_of(server, opened, view, locale, scripts=scripts)
    page.goto(f"{server.url}/district/connections")
    page.get_by_role("button", name=words["new"]).or_(page.get_by_role("link", name=words["new"])).click()
    seen(page, tmp_path, "providers", scripts)
    page.get_by_role("link", name="OpenID Connect").click()
    page.locator("#config-issuer").fill("nowhere")
    page.locator("#config-client_secret").fill("never shown again")
    page.get_by_role("button", name=words["connect"]).click()
    expect(page.get_by_role("alert")).to_contain_text(words["mend"])
    expect(page.locator("[aria-invalid]")).to_have_count(2)
    expect(page.locator("#config-client_secret")).to_have_value("")
    seen(page, tmp_path, "faults", scripts)
    page.locator("#config-issuer").fill(provider)
    page.locator("#config-client_id").fill("lti-server")
    page.locator("#config-client_secret").fill("never shown again")
    page.get_by_role("button", name=words["connect"]).click()
    page.locator("a[href*='/configuration']").click()
    expect(page.locator("#config-client_id")).to_have_value("lti-server")
    seen(page, tmp_path, "configuration", scripts)
    page.go_back()
    page.locator("form[action*='/test'] button").click()
    expect(page.get_by_role("status")).to_contain_text(words["well"])
    seen(page, tmp_path, "tested", scripts)
    page.go_back()
    page.locator("a[href*='/try']").click()
    page.locator("input[name=sub]").fill("ada")
    page.locator("input[name=sub]").press("Enter")
    page.get_by_text("student_identifiers.app_assigned_id").wait_for()
    complaints[:] = [
        one for one in complaints if "422" in one
    ]  # the provider's page wants a style sheet of another site
    seen(page, tmp_path, "tried", scripts)
    assert not [one for one in complaints if "422" not in one]


def seen(page: Page, folder: Path, name: str, scripts: bool) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    if scripts:  # axe is a script itself
        looked_at(page)


def admin_of(server: RealServer, opened: Opener, view: Any, locale: str, *, scripts: bool) -> Page:
    """A district administrator's browser, signed in."""
    (district,) = districts.every(server.house.database, server.house.ring)
    token, _ = server.house.invitations.invite(StaffRole.DISTRICT_ADMIN, district.id)
    options = {"viewport": view, "java_script_enabled": scripts, "locale": {"en": "en-GB", "fr": "fr-FR"}[locale]}
    page = opened(f"{server.url}/signin/invitation/{token}", **options)
    page.get_by_role("main").get_by_role("button").click()
    return page


@pytest.mark.parametrize(
    ("view", "locale", "scripts"), [(PHONE, "fr", False), (DESKTOP, "en", True)], ids=["phone-fr-without", "desktop-en"]
)
def test_a_school_system_waits_and_is_claimed(
    view: Any, locale: str, scripts: bool, database_url: str, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    clever = Clever()
    clever.has_district(NORTH, "North")
    clever.knows("ada", student={"legacy_id": "old-1"})
    clever.knows("grace", district_admin={"legacy_id": "old-9"})
    with (
        clever_running(clever), serving(Platform()) as platform,
        real_server(database_url, tmp_path, SECRET, platform, clever.site, *clever.hosts) as server,
    ):  # fmt: skip
        SignInHouse(server.house).connections.application("clever", clever.application(), by="test")
        clever.redirect_uris = [f"{server.url}/auth/clever/callback"]
        page = admin_of(server, opened, view, locale, scripts=scripts)
        page.goto(f"{server.url}/auth/clever/login")
        page.goto(clever.back(page.url, "ada"))
        seen(page, tmp_path, "not-connected", scripts)
        page.goto(f"{server.url}/district/connections/new/clever")
        seen(page, tmp_path, "claim-form", scripts)
        page.locator("form[action$='/claim'] button").click()
        seen(page, tmp_path, "claim", scripts)
        address = page.get_by_role("button").or_(page.locator("a[role=button]")).first.get_attribute("href")
        page.goto(f"{server.url}{address}")
        page.goto(clever.back(page.url, "grace"))
        expect(page.locator("code")).to_contain_text(NORTH)
        seen(page, tmp_path, "proven", scripts)
        page.locator("form[action*='/claims/'] button").click()
        page.wait_for_url("**/district/connections/*-*")
        # The page that says no is a 403, and this Clever has no icon.
        assert not [one for one in complaints if "403" not in one and "404" not in one]
