"""Signing in at a certified OpenID provider that nobody here wrote, which insists on PKCE and on codes used once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
import sqlalchemy as sa
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.conftest import begin, local
from tests.peers.certified_openid import IS_THERE, CertifiedProvider, running
from tests.peers.loopback import on_loopback

JSON = {"Accept": "application/problem+json"}

pytestmark = pytest.mark.skipif(not IS_THERE, reason="the certified provider is not set up: run `make test`")


@pytest.fixture
def logouts() -> list[str]:
    """What the provider sends to the back channel."""
    return []


@pytest.fixture
def certified(settings: Settings, logouts: list[str]) -> Iterator[CertifiedProvider]:
    back_channel = Flask("back channel")

    @back_channel.post("/")
    def take() -> str:
        logouts.append(request.form["logout_token"])
        return ""

    with (
        on_loopback(back_channel) as port,
        running(f"{settings.base_url}/auth/oidc/callback", backchannel_logout_uri=f"http://localhost:{port}/") as found,
    ):
        found.knows(
            "ada", given_name="Ada", family_name="Lovelace", email="ada@example.org", picture="https://x.test/a"
        )
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, certified: CertifiedProvider) -> Iterator[House]:
    changed = dataclasses.replace(settings, insecure_hosts=frozenset({certified.host}))
    found = build_house(changed, database_url, clock)
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, signing_in: SignInHouse, certified: CertifiedProvider) -> District:
    made = world.district(house)
    signing_in.connections.connect(made.id, "oidc", certified.config(), by="test")
    return made


def come(browser: FlaskClient, certified: CertifiedProvider, sub: str = "ada") -> TestResponse:
    return browser.get(local(certified.back(begin(browser), sub)), headers=JSON)


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def people(house: House, district: District) -> int:
    with house.database.tenant(district.id) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one())


def test_a_pupil_signs_in_and_is_the_same_one_tomorrow(
    app: Flask, certified: CertifiedProvider, house: House, district: District
) -> None:
    for _ in range(2):
        browser = app.test_client()
        assert come(browser, certified).headers["Location"] == "/learn"
        assert browser.get("/learn").status_code == 200
    assert people(house, district) == 1


def test_the_provider_wants_a_code_challenge_and_gets_one(
    browser: FlaskClient, certified: CertifiedProvider, district: District
) -> None:
    address = urlsplit(begin(browser))
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    without = {name: value for name, value in asked.items() if not name.startswith("code_challenge")}
    refused = certified.back(address._replace(query=urlencode(without)).geturl(), "ada")
    assert parse_qs(urlsplit(refused).query)["error"] == ["invalid_request"]
    assert reason(browser.get(local(refused), headers=JSON)) == "declined"


def test_a_code_of_another_browsers_sign_in_is_refused_by_the_provider(
    app: Flask, certified: CertifiedProvider, house: House, district: District
) -> None:
    mine, theirs = app.test_client(), app.test_client()
    own, stolen = (parse_qs(urlsplit(certified.back(begin(one), "ada")).query) for one in (mine, theirs))
    mixed = urlencode({**{name: value[0] for name, value in own.items()}, "code": stolen["code"][0]})
    assert reason(mine.get(f"/auth/oidc/callback?{mixed}", headers=JSON)) == "declined"
    assert people(house, district) == 0


def test_whoever_declines_there_is_told_so(
    browser: FlaskClient, certified: CertifiedProvider, district: District
) -> None:
    assert reason(come(browser, certified, "nobody")) == "declined"


def test_a_code_used_twice_is_a_page(
    app: Flask, browser: FlaskClient, certified: CertifiedProvider, district: District
) -> None:
    address = local(certified.back(begin(browser), "ada"))
    cookies = [(one.key, one.value) for one in (browser._cookies or {}).values()]
    assert browser.get(address).status_code == 303
    other = app.test_client()
    for name, value in cookies:
        other.set_cookie(name, value, path="/auth")
    assert reason(other.get(address, headers=JSON)) == "declined"


def test_new_keys_of_the_provider_are_found_and_an_id_token_of_old_ones_is_worthless(
    app: Flask, certified: CertifiedProvider, clock: FakeClock, district: District
) -> None:
    assert come(app.test_client(), certified).status_code == 303
    certified.changes_its_keys()
    clock.pass_s(61)  # an unknown key is looked for once a minute
    assert come(app.test_client(), certified).status_code == 303


def test_the_answer_names_its_issuer_and_one_of_another_issuer_is_refused(
    browser: FlaskClient, certified: CertifiedProvider, house: House, district: District
) -> None:
    address = certified.back(begin(browser), "ada")
    assert parse_qs(urlsplit(address).query)["iss"] == [certified.issuer]  # RFC 9207
    mixed_up = address.replace(urlencode({"iss": certified.issuer}), urlencode({"iss": "https://evil.example"}))
    assert mixed_up != address
    assert browser.get(local(mixed_up), headers=JSON).status_code == 403
    assert people(house, district) == 0


def test_discovery_is_what_this_server_reads(certified: CertifiedProvider) -> None:
    found = requests.get(f"{certified.issuer}/.well-known/openid-configuration", timeout=10).json()
    assert (found["issuer"], found["code_challenge_methods_supported"]) == (certified.issuer, ["S256"])
    assert found["backchannel_logout_supported"] is True


def test_a_logout_there_ends_the_sessions_here_and_another_persons_go_on(
    app: Flask, certified: CertifiedProvider, house: House, district: District, logouts: list[str]
) -> None:
    certified.knows("grace", given_name="Grace")
    browsers = {sub: app.test_client() for sub in ("ada", "grace")}
    for sub, browser in browsers.items():
        assert come(browser, certified, sub).status_code == 303
    certified.logs_out("ada")
    (token,) = logouts
    with house.database.tenant(district.id) as connection:
        grant_id = connection.execute(sa.text("SELECT grant_id FROM provider_connection")).scalar_one()
    answer = app.test_client().post(f"/signals/oidc?grant={grant_id}", data={"logout_token": token})
    assert answer.status_code == 200, answer.text
    assert {sub: browser.get("/learn").headers.get("Location", "")[:7] for sub, browser in browsers.items()} == {
        "ada": "/signin", "grace": "",
    }  # fmt: skip
