"""Built-in tenants whose people may come by an account of their own at Google, and adults by Facebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.registering import Desk
from lti_server.app import House, build_house
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests.clock import FakeClock
from tests.functional.sign_in.conftest import local
from tests.functional.sign_in.own_door import post
from tests.peers import facebook as facebook_peer
from tests.peers import openid
from tests.peers.facebook import Facebook
from tests.peers.openid import OpenIdPeer, ToPeer
from tests.peers.smtp import MailServer

GRACE = "10226400000000000"
EMAIL = "ada.canary-77c1@gmail.example"


@pytest.fixture
def google(clock: FakeClock) -> Iterator[OpenIdPeer]:
    peer = OpenIdPeer(now=lambda: clock.now().timestamp(), client_id="a.apps.example", google=True)
    peer.knows("ada", given_name="Ada", family_name="Canary", name="Ada Canary", email=EMAIL, email_verified=True)
    with openid.running(peer):
        yield peer


@pytest.fixture
def facebook() -> Iterator[Facebook]:
    peer = Facebook()
    peer.knows(GRACE)
    with facebook_peer.running(peer) as found:
        yield found


@pytest.fixture
def house(
    settings: Settings, database_url: str, clock: FakeClock, peer: MailServer, google: OpenIdPeer, facebook: Facebook
) -> Iterator[House]:
    changed = dataclasses.replace(
        settings, smtp_url=peer.url, mail_from="lessons@here.example", insecure_hosts=facebook.hosts,
        providers=("google", "facebook", "oidc"),
    )  # fmt: skip
    found = build_house(changed, database_url, clock)
    session = outbound_session(insecure_hosts=facebook.hosts)
    session.mount("https://", ToPeer(google, session.get_adapter("https://")))
    found.__dict__["transport"] = HttpTransport(session, clock)
    facebook.redirect_uris = [f"{found.settings.base_url}/auth/facebook/callback"]
    connections = SignInHouse(found).connections
    client = {"client_id": google.client_id, "client_secret": google.client_secret}
    connections.application("google", client, by="test")
    connections.application("facebook", facebook.application(), by="test")
    yield found
    found.database.dispose()


@pytest.fixture
def desk(house: House) -> Desk:
    return enabled(house)


def enabled(house: House, country: str = "US", *providers: str) -> Desk:
    registering = OwnDoorHouse(house).registering
    return registering.enable(country, by="test", providers=providers or ("google", "facebook"))


def answered(browser: FlaskClient, years: int, provider: str = "google", name: str = "Cool Coder") -> TestResponse:
    """Everything that is asked before, up to the page that leads to the provider."""
    assert post(browser, "/signup", years=str(years)).status_code == 303
    page = browser.get("/signup/address").headers.get("Location") or "/signup/address"
    assert browser.get(page).status_code == 200
    done = post(browser, f"/signup/with/{provider}", name=name)
    return browser.get(done.headers["Location"]) if done.status_code == 303 else done


def registers(
    browser: FlaskClient, at: Any, years: int, who: str = "ada", *, provider: str = "google", slug: str = "public-us"
) -> TestResponse:
    """The whole way there and back."""
    page = answered(browser, years, provider)
    link = f"/auth/{provider}/login?district={slug}&amp;register=yes"
    assert link in page.text, page.text
    return comes(browser, at, who, provider=provider, way=link.replace("&amp;", "&"))


def comes(
    browser: FlaskClient, at: Any, who: str = "ada", *, provider: str = "google", way: str = "", **headers: str
) -> TestResponse:
    """By the link of the sign-in page, and back."""
    answer = browser.get(way or f"/auth/{provider}/login")
    assert answer.status_code == 302, answer.text
    return browser.get(local(at.back(answer.headers["Location"], who)), headers=headers)


def rows(house: House, desk: Desk, statement: str) -> list[Any]:
    with house.database.tenant(desk.district.id) as connection:
        return list(connection.execute(sa.text(statement)))
