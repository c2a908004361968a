"""Signing in with Facebook: for staff who have linked it, and for nobody else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts import store as people
from lti_server.accounts.model import Kind, Subject
from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.conftest import begin, local
from tests.peers.facebook import Facebook, running

JSON = {"Accept": "application/problem+json"}
GRACE = "10226400000000000"


@pytest.fixture
def facebook() -> Iterator[Facebook]:
    peer = Facebook()
    peer.knows(GRACE)
    with running(peer) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, facebook: Facebook) -> Iterator[House]:
    changed = dataclasses.replace(settings, insecure_hosts=facebook.hosts, providers=("facebook",))
    found = build_house(changed, database_url, clock)
    facebook.redirect_uris = [f"{found.settings.base_url}/auth/facebook/callback"]
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, signing_in: SignInHouse, facebook: Facebook) -> District:
    """A district whose staff may link Facebook."""
    made = world.district(house)
    signing_in.connections.connect(made.id, "facebook", facebook.application(), by="test")
    return made


def somebody(house: House, district: District, facebook: Facebook, kind: Kind) -> None:
    """Of this kind, with Facebook as a way in."""
    subject = Subject(provider="facebook", issuer=facebook.site, client_id=facebook.client_id, subject=GRACE)
    with house.database.tenant(district.id) as connection:
        grant = connection.execute(sa.text("SELECT id, epoch FROM grants WHERE provider = 'facebook'")).one()
        source = people.Source(grant_id=grant.id, epoch=grant.epoch, run_id=None, at=house.clock.now())
        people.create(connection, district.keys, subject, kind=kind, source=source, keep_subject=True)


def come(browser: FlaskClient, facebook: Facebook, user_id: str = GRACE) -> TestResponse:
    return browser.get(local(facebook.back(begin(browser, "north", "facebook"), user_id)), headers=JSON)


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def people_of(house: House, district: District) -> int:
    with house.database.tenant(district.id) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one())


def test_staff_who_have_linked_it_come_in(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    assert come(browser, facebook).status_code == 303
    assert people_of(house, district) == 1


def test_a_pupil_does_not_come_in_by_it_even_where_it_is_linked(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.PUPIL)
    assert reason(come(browser, facebook)) == "adults-only"
    assert browser.get_cookie("lti_session") is None


def test_somebody_of_unknown_age_is_a_child_and_nothing_is_kept(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    assert reason(come(browser, facebook)) == "adults-only"
    assert people_of(house, district) == 0


def test_it_is_off_where_the_operator_says_nothing(settings: Settings, database_url: str, clock: FakeClock) -> None:
    found = build_house(settings, database_url, clock)
    try:
        assert "facebook" not in {one.name for one in found.registry.enabled()}
    finally:
        found.database.dispose()


def test_a_token_of_another_application_signs_nobody_in(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    facebook.speaks_of = "999"
    assert reason(come(browser, facebook)) == "declined"


def test_whoever_declines_there_is_told_so(browser: FlaskClient, facebook: Facebook, district: District) -> None:
    assert reason(come(browser, facebook, "nobody")) == "declined"


def test_an_e_mail_that_is_declined_keeps_nobody_out(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    facebook.declines = frozenset({"email"})
    assert come(browser, facebook).status_code == 303


def test_a_code_that_facebook_has_seen_is_a_page_and_so_are_its_bad_days(
    browser: FlaskClient, facebook: Facebook, house: House, district: District
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    address = local(facebook.back(begin(browser, "north", "facebook"), GRACE))
    facebook._codes.clear()
    assert reason(browser.get(address, headers=JSON)) == "declined"
    for switch, expected in (("throttled", "busy"), ("out", "provider-failed")):
        address = local(facebook.back(begin(browser, "north", "facebook"), GRACE))
        setattr(facebook, switch, True)
        assert reason(browser.get(address, headers=JSON)) == expected
        setattr(facebook, switch, False)


HOSTILE = ["\x00", "a\x00b", "\ud800", "x" * 1_000_000, "‮gnissim", "<script>alert(1)</script>", "a\nb"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["id", "name", "email"])
def test_a_hostile_text_is_a_page_or_dropped_and_no_fault_of_this_server(
    browser: FlaskClient, facebook: Facebook, house: House, district: District, name: str, text: str
) -> None:
    somebody(house, district, facebook, Kind.STAFF)
    facebook.accounts[GRACE][name] = text
    facebook.permissions[text] = {"email"}
    assert come(browser, facebook).status_code in (303, 403)
