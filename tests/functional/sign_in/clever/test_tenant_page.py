"""What `/district/connections` says of the provider's list of school systems, and whom a suspension tells."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.functional.sign_in.clever.conftest import grant_of, rows
from tests.functional.test_inspector import signed_in
from tests.integration.lti.test_suspicions import RECIPIENTS
from tests.peers.clever import NORTH, Clever


@pytest.fixture
def admin(app: Flask, house: House, district: District) -> FlaskClient:
    return signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)


def page(admin: FlaskClient, house: House, district: District) -> str:
    text = admin.get(f"/district/connections/{grant_of(house, district)}").text
    return re.sub(r"\s+", " ", text)


def test_it_says_when_the_list_was_last_looked_at(
    admin: FlaskClient, house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    assert "last looked at" not in page(admin, house, district)
    look()
    shown = page(admin, house, district)
    assert "list of school systems was last looked at on" in shown
    assert "could not be read" not in shown


def test_it_says_that_the_list_could_not_be_read_and_since_when(
    admin: FlaskClient, house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    clever.out = True
    look()
    assert "It could not be read so far." in page(admin, house, district)
    clever.out = False
    look()
    clever.out = True
    look()
    assert "the last time that it could was on" in page(admin, house, district)


@pytest.mark.parametrize(
    ("switch", "said"), [("revoked", "does not name yours any more"), ("out", "could not be read several times")]
)
def test_it_says_why_the_connection_is_suspended(
    admin: FlaskClient, house: House, clever: Clever, district: District, look: Callable[[], None],
    switch: str, said: str,
) -> None:  # fmt: skip
    if switch == "revoked":
        clever.revoke(NORTH)
    clever.out = switch == "out"
    for _ in range(3):
        look()
    shown = page(admin, house, district)
    assert "Why it is suspended" in shown
    assert said in shown
    assert "Resume this connection" in shown


def test_the_offices_of_the_contract_are_told_once(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    world.sign(house, district, world.contract(house, more=RECIPIENTS))
    clever.revoke(NORTH)
    for _ in range(3):
        look()
    assert len(rows(house, district, "SELECT 1 FROM mail_message")) == 2  # two offices
