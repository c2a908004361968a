"""Registering with an account of one's own elsewhere, in a browser, by keyboard and without scripts; no barriers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from playwright.sync_api import Page

from lti_server.app import build_house, create_app
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests.browser.lesson_moves import Opener
from tests.browser.lesson_site import serving
from tests.browser.test_registering import SECRET, VIEWS, WORDS, mail, ways
from tests.browser.test_signing_in import seen
from tests.peers import facebook as facebook_peer
from tests.peers.facebook import Facebook
from tests.peers.smtp import MailServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["mail"]
GRACE = "10226400000000000"
MORE = {
    "en": {"with": "Register with Facebook", "to": "Go on to Facebook", "in": "Sign in with Facebook",
           "not": "You could not be signed in", "in-mail": "Sign in with your e-mail address"},
    "fr": {"with": "S’inscrire avec Facebook", "to": "Continuer vers Facebook", "in": "Se connecter avec Facebook",
           "not": "La connexion a échoué", "in-mail": "Se connecter avec son adresse électronique"},
}  # fmt: skip


@pytest.fixture
def facebook() -> Iterator[Facebook]:
    peer = Facebook()
    peer.knows(GRACE)
    with facebook_peer.running(peer) as found:
        yield found


@pytest.fixture
def url(database_url: str, tmp_path: Path, mail: MailServer, facebook: Facebook) -> Iterator[str]:
    """A server where adults of one country register with Facebook, too."""
    made: list[Flask] = []

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return made[0](environ, start)

    with serving(answer) as address:
        settings = Settings(
            database_url=database_url, data_dir=tmp_path, secret_keys=(SECRET,), base_url=address, smtp_url=mail.url,
            insecure_hosts=facebook.hosts, providers=("facebook",),
        )  # fmt: skip
        facebook.redirect_uris = [f"{address}/auth/facebook/callback"]
        house = build_house(settings, database_url)
        SignInHouse(house).connections.application("facebook", facebook.application(), by="test")
        OwnDoorHouse(house).registering.enable("US", by="test", providers=["facebook"])
        made.append(create_app(house))
        yield address
    house.database.dispose()


@VIEWS
def test_an_adult_registers_with_facebook_and_comes_back_by_it(
    view: Any, locale: str, scripts: bool, url: str, facebook: Facebook, opened: Opener, complaints: list[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    words, more, options = WORDS[locale], MORE[locale], ways(view, locale, scripts)
    page = opened(f"{url}/signin", **options)
    there(page, facebook)
    seen(page, tmp_path, "ways", scripts)
    page.get_by_role("button", name=more["in"]).click()
    page.get_by_role("heading", name=more["not"]).wait_for()
    seen(page, tmp_path, "not-registered", scripts)
    complaints.clear()  # the browser tells of each answer that is an error
    page.get_by_role("link", name=words["register"], exact=True).click()
    page.get_by_label(words["old"]).fill("34")
    page.get_by_label(words["old"]).press("Enter")
    seen(page, tmp_path, "address", scripts)
    page.get_by_role("button", name=more["with"]).click()
    seen(page, tmp_path, "name", scripts)
    page.get_by_label(words["name"]).fill("Cool Coder")
    page.get_by_label(words["name"]).press("Enter")
    page.get_by_role("button", name=more["to"]).wait_for()
    seen(page, tmp_path, "on", scripts)
    page.get_by_role("button", name=more["to"]).press("Enter")
    page.get_by_role("heading", name=words["yours"]).wait_for()
    back = opened(f"{url}/signin", **options)
    there(back, facebook)
    back.get_by_role("button", name=more["in"]).click()
    back.get_by_role("heading", name=words["yours"]).wait_for()
    assert not complaints


def there(page: Page, facebook: Facebook) -> None:
    """Somebody is signed in at Facebook in this browser."""
    page.context.add_cookies([{"name": "session", "value": GRACE, "url": facebook.site}])
