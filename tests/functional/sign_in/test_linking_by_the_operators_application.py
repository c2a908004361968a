"""Somebody whose district has a tenant of the operator's application alone connects an account there."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.conftest import Provider, local
from tests.functional.sign_in.two_doors import Platform, begun, by_lms, house, linked, platform, rows, whose

__all__ = ["house", "platform"]

JSON = {"Accept": "application/problem+json"}


@pytest.fixture
def district(house: House, signing_in: SignInHouse, provider: Provider, platform: Platform) -> District:
    signing_in.connections.application("oidc", provider.config(tenant_claim="org"), by="test")
    made = world.district(house)
    world.register(house, made, platform)
    signing_in.connections.connect(made.id, "oidc", {"tenant": "org-north"}, by="test")
    return made


@pytest.fixture
def south(house: House, signing_in: SignInHouse, district: District) -> District:
    made = world.district(house, "south")
    signing_in.connections.connect(made.id, "oidc", {"tenant": "org-south"}, by="test")
    return made


@pytest.fixture
def browser(app: Flask, platform: Platform, house: House, district: District) -> FlaskClient:
    return by_lms(app.test_client(), platform, house, sub="ada-at-lms")


def refused(browser: FlaskClient, provider: Provider) -> str:
    answer = browser.get(local(provider.back(begun(browser), "ada")), headers=JSON)
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def test_an_account_of_the_districts_tenant_is_connected(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    provider.knows("ada", org="org-north")
    assert linked(browser, provider, "ada").headers["Location"].startswith("/me?connected=linked")
    assert whose(house, district) == {"people": 1, "ways": 2}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"org": "org-south"}, "link-other-district"),
        ({"org": "org-west"}, "tenant-not-connected"),
        ({}, "no-tenant"),
    ],
)
def test_an_account_of_another_tenant_or_of_none_is_not(
    browser: FlaskClient, provider: Provider, house: House, district: District, south: District,
    claims: dict[str, str], reason: str,
) -> None:  # fmt: skip
    provider.knows("ada", **claims)
    assert refused(browser, provider) == reason
    assert whose(house, district) == {"people": 1, "ways": 1}
    assert rows(house, south, "SELECT 1 FROM person") == []
