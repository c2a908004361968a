"""A district with two providers that say things by themselves: an OpenID provider of its own, and Google."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House, build_house, create_app
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.conftest import begin, local
from tests.peers.openid import OpenIdPeer, ToPeer, running

FORM = "application/x-www-form-urlencoded"


@dataclasses.dataclass
class World:
    """A district, its two providers, and who is signed in."""

    house: House
    app: Flask
    district: District
    peers: dict[str, OpenIdPeer]
    clock: FakeClock

    def comes_in(self, provider: str, sub: str = "ada", *, sid: str = "", slug: str = "north") -> FlaskClient:
        browser = self.app.test_client()
        answer = self.tries(browser, provider, sub, sid=sid, slug=slug)
        assert answer.status_code == 303, answer.text
        return browser

    def tries(
        self, browser: FlaskClient, provider: str, sub: str = "ada", *, sid: str = "", slug: str = "north"
    ) -> TestResponse:
        return browser.get(local(self.peers[provider].back(begin(browser, slug, provider), sub, sid=sid)))

    def address(self, provider: str) -> str:
        (row,) = self.rows(f"SELECT grant_id FROM provider_connection WHERE provider = '{provider}'")
        return f"/signals/{provider}?grant={row.grant_id}"

    def logout(self, **changed: Any) -> TestResponse:
        return self.posts_logout(self.peers["oidc"].logout_token(**changed))

    def posts_logout(self, token: str) -> TestResponse:
        return self.app.test_client().post(self.address("oidc"), data={"logout_token": token}, content_type=FORM)

    def risc(self, name: str, sub: str | None = "ada", *, address: str = "", **changed: Any) -> TestResponse:
        return self.posts_risc(self.peers["google"].security_event(name, sub, **changed), address=address)

    def posts_risc(self, token: str, *, address: str = "") -> TestResponse:
        return self.app.test_client().post(
            address or self.address("google"), data=token, content_type="application/secevent+jwt"
        )

    def rows(self, statement: str, district: District | None = None) -> list[sa.Row[Any]]:
        with self.house.database.tenant((district or self.district).id) as connection:
            return list(connection.execute(sa.text(statement)))

    def receipts(self) -> list[tuple[str, str, int]]:
        found = self.rows("SELECT kind, outcome, sessions FROM signal_receipt ORDER BY received_at, id")
        return [(row.kind, row.outcome, row.sessions) for row in found]

    def logged(self) -> list[tuple[str, dict[str, Any]]]:
        found = self.rows("SELECT decision, payload FROM log_entry WHERE act = 'signal' ORDER BY id")
        return [(row.decision, log.payload_of(self.district.keys, bytes(row.payload))) for row in found]


@pytest.fixture
def peers(clock: FakeClock) -> Iterator[dict[str, OpenIdPeer]]:
    def now() -> float:
        return clock.now().timestamp()

    own, google = OpenIdPeer(now=now), OpenIdPeer(now=now, client_id="a.apps.example", google=True)
    for sub in ("ada", "grace"):
        own.knows(sub, given_name=sub.title())
        google.knows(sub, given_name=sub.title(), hd="north.example")
    with running(own), running(google):
        yield {"oidc": own, "google": google}


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, peers: dict[str, OpenIdPeer]) -> Iterator[House]:
    hosts = frozenset({f"localhost:{peers['oidc'].port}"})
    found = build_house(dataclasses.replace(settings, insecure_hosts=hosts), database_url, clock)
    session = outbound_session(insecure_hosts=hosts)
    session.mount("https://", ToPeer(peers["google"], session.get_adapter("https://")))
    found.__dict__["transport"] = HttpTransport(session, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def at(house: House, peers: dict[str, OpenIdPeer], clock: FakeClock) -> World:
    """North has connected both: its own provider, and its Google domain with a client of its own."""
    connections, made = SignInHouse(house).connections, world.district(house)
    own, google = peers["oidc"], peers["google"]
    config = {"issuer": own.issuer, "client_id": own.client_id, "client_secret": own.client_secret}
    connections.connect(made.id, "oidc", config, by="test")
    config = {"client_id": google.client_id, "client_secret": google.client_secret, "domain": "north.example"}
    connections.connect(made.id, "google", config, by="test")
    return World(house=house, app=create_app(house), district=made, peers=peers, clock=clock)


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/learn").status_code == 200
