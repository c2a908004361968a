"""The pages of connections and dispositions in a browser: no barriers, at any width, in both languages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.ids import GrantId, new_id
from lti_server.privacy import districts
from lti_server.privacy.districts import District
from lti_server.privacy.grants import open_grant
from lti_server.privacy.inference import Evidence
from lti_server.privacy.tables import signal_receipt
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.real_server import RealServer
from tests.functional.disposition_days import LIMIT


def looked_at(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_a_connection_is_revoked_without_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    server.launch("turtle-garden")
    page = staff_of(server, opened, view)
    page.goto(f"{server.url}/district/connections?lang={locale}")
    looked_at(page)
    page.get_by_role("link", name="lti").click()
    looked_at(page)
    page.screenshot(path=tmp_path / "connection.png", full_page=True)
    page.get_by_role("radio").first.check()
    page.locator("#reason").fill("We change our LMS.")
    page.locator("form[action*='/revoke'] button").click()
    receipt = {"en": "Download the signed receipt", "fr": "Télécharger le reçu signé"}[locale]
    page.get_by_role("link", name=receipt).wait_for()
    looked_at(page)
    page.screenshot(path=tmp_path / "receipt.png", full_page=True)
    assert not complaints


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_a_narrowed_connection_says_what_is_outside_without_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    for number, pupil in enumerate(("ada", "bob", "cem")):
        server.launch("turtle-garden", sub=pupil, **{"lti_context": {"id": f"course-{number}", "title": "Class"}})
    (owner,) = districts.every(server.house.database, server.house.ring)
    (platform,) = server.house.registrations.every(owner.id)
    with server.house.database.tenant(owner.id) as connection:
        # An LMS tells of no schools; a roster that does fills the same column.
        (kept, left, _) = connection.execute(sa.text("SELECT id FROM section ORDER BY created_at")).scalars().all()
        named = sa.text("UPDATE section SET school = :school WHERE id = :id")
        connection.execute(named, [{"school": "Hill School", "id": kept}, {"school": "Lake School", "id": left}])
    server.house.grants.withdraw.narrow(owner.id, platform.grant_id, [kept], by="test", reason="one class alone")
    assert server.house.grants.withdraw.finish(owner.id, platform.grant_id, patience_s=5)
    page = staff_of(server, opened, view)
    page.goto(f"{server.url}/district/connections/{platform.grant_id}?lang={locale}")
    lines = {
        "en": ("Hill School: classes inside 1, outside 0", "Lake School: classes inside 0, outside 1"),
        "fr": ("Hill School : classes atteintes 1, au-dehors 0", "Lake School : classes atteintes 0, au-dehors 1"),
    }
    for line in lines[locale]:
        expect(page.get_by_role("listitem").filter(has_text=line)).to_have_count(1)
    page.screenshot(path=tmp_path / "narrowed.png", full_page=True)
    looked_at(page)
    assert not complaints


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
@pytest.mark.parametrize("evidence", Evidence)
def test_a_connection_that_was_suspended_by_itself_says_why_and_is_resumed_without_barriers(
    evidence: Evidence, view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    house, (owner,) = server.house, districts.every(server.house.database, server.house.ring)
    config = {"client_id": "client", "client_secret": "a secret", "district_id": "5f1a7c0000000000000000d1"}
    grant_id = SignInHouse(house).connections.connect(owner.id, "clever", config, by="test").grant_id
    with house.database.tenant(owner.id) as connection:
        house.grants.suspect.on(connection, grant_id, "clever", evidence)
        looked = "tenants_looked_at = now(), tenants_read_at = now() - interval '1 hour'"
        connection.execute(sa.text(f"UPDATE provider_connection SET {looked}"))
    page = staff_of(server, opened, view)
    page.goto(f"{server.url}/district/connections/{grant_id}?lang={locale}")
    why = {"en": "Why it is suspended", "fr": "Pourquoi elle est suspendue"}[locale]
    expect(page.get_by_role("heading", name=why)).to_be_visible()
    page.screenshot(path=tmp_path / "evidence.png", full_page=True)
    looked_at(page)
    page.locator("form[action*='/resume'] button").press("Enter")
    expect(page.get_by_role("heading", name=why)).to_have_count(0)
    assert not complaints


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_what_a_provider_said_by_itself_is_read_without_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    house, (owner,) = server.house, districts.every(server.house.database, server.house.ring)
    config = {"client_id": "client", "client_secret": "a secret", "domain": "north.example"}
    grant_id = SignInHouse(house).connections.connect(owner.id, "google", config, by="test").grant_id
    now = house.clock.now()
    told = [("account_disabled", "held", 2), ("account_enabled", "lifted", 0), ("verification", "noted", 0)]
    with house.database.tenant(owner.id) as connection:
        rows = [
            {
                "id": new_id(), "district_id": owner.id, "grant_id": grant_id, "provider": "google", "kind": kind,
                "outcome": outcome, "sessions": sessions, "occurred_at": now, "received_at": now, "acted_at": now,
                "expires_at": now + timedelta(days=90),
            }
            for kind, outcome, sessions in told
        ]  # fmt: skip
        connection.execute(signal_receipt.insert(), rows)
    page = staff_of(server, opened, view)
    page.goto(f"{server.url}/district/connections/{grant_id}?lang={locale}")
    said = {"en": "What the provider said by itself", "fr": "Ce que le fournisseur a dit de lui-même"}[locale]
    expect(page.get_by_role("region", name=said).get_by_role("definition")).to_have_count(3)
    page.screenshot(path=tmp_path / "signals.png", full_page=True)
    looked_at(page)
    assert not complaints


@pytest.mark.parametrize(("view", "locale"), [(PHONE, "fr"), (DESKTOP, "en")], ids=["phone-fr", "desktop-en"])
def test_dispositions_are_read_without_barriers(
    view: Any, locale: str, server: RealServer, opened: Opener, complaints: list[str], tmp_path: Path
) -> None:
    page = staff_of(server, opened, view)
    page.goto(f"{server.url}/district/dispositions?lang={locale}")
    looked_at(page)
    house, (owner,) = server.house, districts.every(server.house.database, server.house.ring)
    world.sign(house, owner, world.contract(house, more=LIMIT))
    server.launch("turtle-garden")
    (gone,) = house.registrations.every(owner.id)
    today, dispose = house.clock.now().astimezone(owner.zone).date(), house.rights.dispose
    for number, due in enumerate((today, today, None)):
        grant_id = gone.grant_id if number == 0 else another_grant(house, owner)
        house.grants.withdraw.begin(owner.id, grant_id, by="test", reason="over")
        assert house.grants.withdraw.finish(owner.id, grant_id, patience_s=5)
        made = dispose.request(owner.id, grant_id, by="test", due=due)
        if number == 0:
            dispose.run(owner.id, made.id)
    page.reload()
    expect(page.locator("article")).to_have_count(3)
    due_now = {"en": "is due today", "fr": "échéance aujourd’hui"}[locale]
    expect(page.locator("article").filter(has_text=due_now)).to_have_count(1)
    expect(page.locator("a[download]")).to_have_count(1)
    page.screenshot(path=tmp_path / "dispositions.png", full_page=True)
    looked_at(page)
    assert not complaints


def another_grant(house: House, owner: District) -> GrantId:
    with house.database.tenant(owner.id) as connection:
        return open_grant(connection, owner.id, "google", house.clock.now())


def staff_of(server: RealServer, opened: Opener, view: Any) -> Page:
    """A data steward's browser, signed in."""
    (district,) = districts.every(server.house.database, server.house.ring)
    token, _ = server.house.invitations.invite(StaffRole.DATA_STEWARD, district.id)
    page = opened(f"{server.url}/signin/invitation/{token}", viewport=view)
    page.get_by_role("main").get_by_role("button").click()
    return page
