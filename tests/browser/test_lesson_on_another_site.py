"""The sample lesson of the how-to runs: on its own origin, under a strict policy, with a ticket and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.lesson_site import SAMPLES, ApiForOneOrigin, serving, site


@dataclass(frozen=True)
class Hosted:
    """A lesson's page on its own origin, and the server that its pupils' work goes to."""

    page_url: str
    server: str
    api: ApiForOneOrigin

    def launched(self, ticket: str) -> str:
        """Where the redirect after a launch leads."""
        return f"{self.page_url}#{urlencode({'ticket': ticket, 'api': f'{self.server}/api/v1'})}"


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    server: list[str] = []
    with serving(site(server)) as own_origin:
        api = ApiForOneOrigin(origin=own_origin)
        with serving(api.app()) as address:
            server.append(address)
            yield Hosted(f"{own_origin}/lesson.html", address, api)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def _saved(response: Response) -> bool:
    """The answer to an attempt, not to a preflight or to the question where one stands."""
    return response.request.method == "POST" and response.url.endswith("/progress")


def test_the_sample_exchanges_its_ticket_saves_and_resumes(page: Page, hosted: Hosted) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" and "404" not in said.text else None,
    )
    page.goto(hosted.launched("ticket-1"))
    expect(page.locator("#saving")).to_have_text("Your work is saved.")
    assert page.url == hosted.page_url
    with page.expect_response(_saved):
        page.get_by_role("button", name="3").click()
    expect(page.locator("#verdict")).to_have_text("Not yet.")
    with page.expect_response(_saved):
        page.get_by_role("button", name="5").click()
    expect(page.locator("#verdict")).to_have_text("Right: 4 and 1.")
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert [(one["score"], one["completed"]) for one in hosted.api.attempts] == [(0, False), (1, True)]
    assert page.context.cookies() == []
    assert not complaints
    hosted.api.ticket = "ticket-2"
    page.goto("about:blank")
    page.goto(hosted.launched("ticket-2"))
    expect(page.locator("#saving")).to_have_text("You have solved this before.")


def test_the_sample_opened_by_itself_asks_no_server(page: Page, hosted: Hosted) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(hosted.page_url)
    page.get_by_role("button", name="5").click()
    expect(page.locator("#verdict")).to_have_text("Right: 4 and 1.")
    expect(page.locator("#saving")).to_contain_text("nothing is saved")
    assert not [url for url in asked if url.startswith(hosted.server)]


def test_the_sample_gives_its_ticket_to_no_other_server(page: Page, hosted: Hosted) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(f"{hosted.page_url}#ticket=ticket-1&api=https%3A%2F%2Fevil.example%2Fapi%2Fv1")
    expect(page.locator("#saving")).to_contain_text("nothing is saved")
    assert not [url for url in asked if "evil.example" in url or "/api/v1" in url]


def test_the_sample_is_accessible(page: Page, hosted: Hosted) -> None:
    page.goto(hosted.page_url)
    assert not Axe().run(page).response["violations"]


def test_the_sample_is_about_thirty_lines() -> None:
    assert len((SAMPLES / "lesson.js").read_text(encoding="utf-8").splitlines()) <= 31
