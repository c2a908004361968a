"""A district whose people sign in at an OpenID provider that nobody here wrote, on a loopback port."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from oidc_provider_mock import run_server_in_thread
from werkzeug.test import TestResponse

from lti_server.app import House, build_house, create_app
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock


@dataclass(frozen=True)
class Provider:
    """The OpenID provider, and what somebody does there."""

    issuer: str

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).netloc

    def config(self, **more: object) -> dict[str, object]:
        return {"issuer": self.issuer, "client_id": "lti-server", "client_secret": "a secret of this client", **more}

    def knows(self, sub: str, **claims: object) -> None:
        """Somebody has an account there, with these claims."""
        requests.put(f"{self.issuer}/users/{sub}", json=claims, timeout=10).raise_for_status()

    def back(self, address: str, sub: str) -> str:
        """The address to which the browser is sent after somebody signed in there."""
        answer = requests.post(address, data={"sub": sub}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def declined(self, address: str) -> str:
        answer = requests.post(address, data={"action": "deny"}, timeout=10, allow_redirects=False)
        return answer.headers["Location"]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with run_server_in_thread() as server:
        yield Provider(f"http://localhost:{server.server_port}")


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, provider: Provider) -> Iterator[House]:
    found = build_house(dataclasses.replace(settings, insecure_hosts=frozenset({provider.host})), database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def signing_in(house: House) -> SignInHouse:
    return SignInHouse(house)


@pytest.fixture
def district(house: House, signing_in: SignInHouse, provider: Provider) -> District:
    """A district under contract that has connected the provider."""
    made = world.district(house)
    signing_in.connections.connect(made.id, "oidc", provider.config(), by="test")
    return made


@pytest.fixture
def app(house: House) -> Flask:
    return create_app(house)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def begin(browser: FlaskClient, slug: str = "north", provider: str = "oidc") -> str:
    """Follow the link of the sign-in page; the address at the provider."""
    answer = browser.get(f"/auth/{provider}/login?district={slug}" if slug else f"/auth/{provider}/login")
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def local(address: str) -> str:
    """An address of ours without its host."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def again(app: Flask, browser: FlaskClient) -> FlaskClient:
    """Another browser that has what this one has of a sign-in that is under way."""
    other = app.test_client()
    for one in (browser._cookies or {}).values():
        other.set_cookie(one.key, one.value, path="/auth")
    return other


def sign_in(browser: FlaskClient, provider: Provider, sub: str = "ada", slug: str = "north") -> TestResponse:
    """The whole way there and back."""
    return browser.get(local(provider.back(begin(browser, slug), sub)))
