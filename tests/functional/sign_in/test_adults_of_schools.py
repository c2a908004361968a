"""A school's grown-up pupil is a pupil: what is for adults is for its staff, and for who has no school."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.aged import AGED, born, years
from tests.functional.sign_in.conftest import Provider, local
from tests.functional.sign_in.facebook_staff import GRACE, facebook
from tests.functional.sign_in.two_doors import begun, by_provider, rows
from tests.peers.facebook import Facebook

__all__ = ["facebook"]


@pytest.fixture
def house(
    settings: Settings, database_url: str, clock: FakeClock, provider: Provider, facebook: Facebook
) -> Iterator[House]:
    hosts = facebook.hosts | {provider.host}
    changed = dataclasses.replace(settings, insecure_hosts=hosts, providers=("facebook", "oidc"))
    found = build_house(changed, database_url, clock)
    facebook.redirect_uris = [f"{found.settings.base_url}/auth/facebook/callback"]
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, signing_in: SignInHouse, provider: Provider, facebook: Facebook) -> District:
    terms = world.contract(house, more=f"{AGED}\nproviders: {{oidc: {{}}, facebook: {{}}}}")
    made = world.district(house, terms=terms)
    signing_in.connections.connect(made.id, "oidc", provider.config(), by="test")
    signing_in.connections.connect(made.id, "facebook", facebook.application(), by="test")
    return made


def test_a_pupil_of_40_is_not_offered_facebook_and_connects_none(
    browser: FlaskClient, provider: Provider, facebook: Facebook, house: House, district: District
) -> None:
    provider.knows("ada", birthdate=born(house, 40))
    by_provider(browser, provider, "ada")
    assert years(house, district) == 40
    assert "Facebook" not in browser.get("/me").text
    answer = browser.get(
        local(facebook.back(begun(browser, "facebook"), GRACE)), headers={"Accept": "application/problem+json"}
    )
    assert (answer.status_code, json.loads(answer.text)["reason"]) == (403, "link-not-possible")
    assert not rows(house, district, "SELECT 1 FROM identity WHERE provider = 'facebook'")
