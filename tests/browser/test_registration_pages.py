"""An administrator connects an LMS in a frame of the LMS's page, where the browser keeps no cookie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize, expect

from lti_server.app import House, build_house, create_app
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.lesson_site import serving
from tests.conftest import SECRET
from tests.peers.registering_platform import RegisteringPlatform
from tests.peers.registering_platform import serving as serving_platform

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

FRAME = """<!doctype html><title>An LMS</title><iframe name="tool" src="{src}" width="100%" height="800"></iframe>
<p id="heard">nothing</p>
<script>addEventListener("message", (event) => {{
  document.getElementById("heard").textContent = event.origin + " " + JSON.stringify(event.data);
}});</script>"""
WINDOW = """<!doctype html><title>An LMS</title><button onclick="window.open('{src}')">Register</button>
<p id="heard">nothing</p>
<script>addEventListener("message", (event) => {{
  document.getElementById("heard").textContent = event.origin + " " + JSON.stringify(event.data);
}});</script>"""


@dataclass(frozen=True)
class Scene:
    """The server, and a page of the LMS that shows the tool's link in a frame or opens it in a window."""

    url: str
    house: House
    district: District
    lms: RegisteringPlatform
    pages: dict[str, str]
    page_url: str

    def link(self, **more: str) -> str:
        invitation = self.house.registration_invitations.invite(self.district.id)[0]
        return f"{self.url}/lti/register?{urlencode({'invitation': invitation, **self.lms.link, **more})}"

    def shows(self, template: str, **more: str) -> str:
        self.pages["/"] = template.format(src=self.link(**more).replace("&", "&amp;"))
        return self.page_url


@pytest.fixture
def scene(chromium: Browser, database_url: str, tmp_path: Path) -> Iterator[Scene]:
    made: list[Flask] = []
    pages: dict[str, str] = {}
    lms_page = Flask("lms_page")
    lms_page.add_url_rule("/", "page", lambda: pages["/"])
    lms_page.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return made[0](environ, start)

    with serving_platform(RegisteringPlatform()) as lms, serving(lms_page) as page_url, serving(answer) as url:
        settings = Settings(
            database_url=database_url, data_dir=tmp_path, secret_keys=(SECRET,), base_url=url,
            insecure_hosts=frozenset({lms.host}),
        )  # fmt: skip
        house = build_house(settings, database_url)
        made.append(create_app(house))
        # `localhost` and `127.0.0.1` are two sites to a browser.
        elsewhere = page_url.replace("127.0.0.1", "localhost")
        yield Scene(url, house, world.district(house), lms, pages, elsewhere)
        house.database.dispose()


def test_in_a_frame_it_ends_with_the_message_that_the_platform_waits_for(
    opened: Opener, scene: Scene, complaints: list[str]
) -> None:
    page = opened(scene.shows(FRAME))
    frame = page.frame_locator("iframe[name=tool]")
    expect(frame.get_by_text(scene.lms.host)).to_be_visible()
    expect(frame.get_by_text(scene.district.name)).to_be_visible()
    expect(page.locator("#heard")).to_have_text("nothing")
    frame.get_by_role("button", name="Connect").press("Enter")
    expect(frame.get_by_role("heading", name="The LMS is registered")).to_be_visible()
    expect(page.locator("#heard")).to_have_text(f'{scene.url} {{"subject":"org.imsglobal.lti.close"}}')
    assert page.context.cookies() == []
    assert not complaints


def test_in_a_window_of_its_own_the_platform_hears_it_too(opened: Opener, scene: Scene) -> None:
    page = opened(scene.shows(WINDOW))
    with page.expect_popup() as popup:
        page.get_by_role("button", name="Register").click()
    popup.value.get_by_role("button", name="Connect").click()
    expect(page.locator("#heard")).to_have_text(f'{scene.url} {{"subject":"org.imsglobal.lti.close"}}')


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize(("lang", "button"), [("en", "Connect"), ("fr", "Connecter")])
def test_the_pages_fit_the_screen_in_each_language(
    opened: Opener, scene: Scene, complaints: list[str], size: ViewportSize, lang: str, button: str
) -> None:
    scene.lms.deployment_id = None
    scene.lms.changes = {"scopes_supported": ["openid"]}
    page = opened(scene.link(lang=lang), viewport=size)
    _look(page, f"register-{lang}-{size['width']}")
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator("pre")).to_contain_text("lti-server platform approve")
    assert page.locator("html").get_attribute("lang") == lang
    _look(page, f"registered-{lang}-{size['width']}")
    page.goto(f"{scene.url}/lti/register?lang={lang}&invitation=spent")
    _look(page, f"refused-{lang}-{size['width']}")
    assert [one for one in complaints if "404" not in one] == []


def _look(page: Page, name: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    folder = os.environ.get("LTI_SERVER_TEST_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
