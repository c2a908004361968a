"""Registering oneself and getting back in, in a browser, with scripts and without; no barriers on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from playwright.sync_api import Page

from lti_server.app import build_house, create_app
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.settings import Settings
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener
from tests.browser.lesson_site import serving
from tests.browser.test_signing_in import seen
from tests.peers import smtp
from tests.peers.smtp import MailServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SECRET = "a secret of the browser tests, long enough"
WORDS = {
    "en": {"register": "Register", "old": "How old are you?", "on": "Go on", "name": "What shall we call you?",
           "address": "E-mail address", "send": "Send me a code", "code": "Code from the letter",
           "yours": "Your lessons", "not": "You cannot register by yourself"},
    "fr": {"register": "S’inscrire", "old": "Quel âge as-tu ?", "on": "Continuer",
           "name": "Comment veux-tu qu’on t’appelle ?", "address": "Adresse électronique", "send": "M’envoyer un code",
           "code": "Code reçu par e-mail", "yours": "Tes leçons", "not": "Tu ne peux pas t’inscrire seul·e"},
}  # fmt: skip
VIEWS = pytest.mark.parametrize(
    ("view", "locale", "scripts"),
    [(PHONE, "fr", False), (PHONE, "fr", True), (DESKTOP, "en", True)],
    ids=["phone-fr-without-scripts", "phone-fr", "desktop-en"],
)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with smtp.serving() as peer:
        yield peer


@pytest.fixture
def url(database_url: str, tmp_path: Path, mail: MailServer) -> Iterator[str]:
    """A server where people of two countries register."""
    made: list[Flask] = []

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return made[0](environ, start)

    with serving(answer) as address:
        settings = Settings(
            database_url=database_url, data_dir=tmp_path, secret_keys=(SECRET,), base_url=address, smtp_url=mail.url
        )
        house = build_house(settings, database_url)
        for country in ("US", "FR"):
            OwnDoorHouse(house).registering.enable(country, by="test")
        made.append(create_app(house))
        yield address
    house.database.dispose()


@VIEWS
def test_somebody_registers_and_gets_back_in(
    view: Any, locale: str, scripts: bool, url: str, mail: MailServer, opened: Opener, complaints: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    words, options = WORDS[locale], ways(view, locale, scripts)
    page = opened(f"{url}/signin", **options)
    seen(page, tmp_path, "ways", scripts)
    page.get_by_role("link", name=words["register"], exact=True).click()
    seen(page, tmp_path, "countries", scripts)
    page.locator("a[href*='country=US']").click()
    seen(page, tmp_path, "age", scripts)
    page.get_by_label(words["old"]).fill("11")
    page.get_by_label(words["old"]).press("Enter")
    seen(page, tmp_path, "address", scripts)
    page.get_by_label(words["name"]).fill("Cool Coder")
    page.get_by_label(words["address"]).fill("ada@example.org")
    page.get_by_role("button", name=words["send"]).click()
    seen(page, tmp_path, "code", scripts)
    typed(page, words, "0000 0000")
    seen(page, tmp_path, "wrong", scripts)
    complaints.clear()  # the browser tells of each answer that is an error
    typed(page, words, code_in(mail))
    page.get_by_role("heading", name=words["yours"]).wait_for()
    seen(page, tmp_path, "learn", scripts)
    back = opened(f"{url}/recover?country=US", **options)
    seen(back, tmp_path, "recover", scripts)
    back.get_by_label(words["address"]).fill("Ada@Example.org")
    back.get_by_role("button", name=words["send"]).click()
    back.get_by_role("checkbox").check()
    typed(back, words, code_in(mail))
    back.get_by_role("heading", name=words["yours"]).wait_for()
    page.goto(f"{url}/learn")
    assert page.url.startswith(f"{url}/signin")
    assert not complaints


@VIEWS
def test_whoever_is_too_young_is_sent_to_their_school(
    view: Any, locale: str, scripts: bool, url: str, mail: MailServer, opened: Opener, complaints: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    words = WORDS[locale]
    page = opened(f"{url}/signup?country=FR", **ways(view, locale, scripts))
    page.get_by_label(words["old"]).fill("14")
    page.get_by_role("button", name=words["on"]).click()
    page.get_by_role("heading", name=words["not"]).wait_for()
    seen(page, tmp_path, "not-alone", scripts)
    page.go_back()
    page.goto(f"{url}/signup?country=FR")
    page.get_by_role("heading", name=words["not"]).wait_for()
    assert not mail.received
    assert not complaints


def ways(view: Any, locale: str, scripts: bool) -> dict[str, Any]:
    return {"viewport": view, "java_script_enabled": scripts, "locale": {"en": "en-GB", "fr": "fr-FR"}[locale]}


def typed(page: Page, words: dict[str, str], code: str) -> None:
    page.get_by_label(words["code"]).fill(code)
    page.get_by_role("button", name=words["on"]).click()


def code_in(mail: MailServer) -> str:
    found = re.search(r"\d{4} \d{4}", mail.received[-1].get_content())
    assert found
    return found[0]
