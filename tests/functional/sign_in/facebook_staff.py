"""A district whose staff may link Facebook, at a Facebook on a loopback port."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from lti_server.accounts import store as people
from lti_server.accounts.model import Kind, Subject
from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.peers.facebook import Facebook, running

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
    """A district whose staff may link Facebook, as its contract says."""
    made = world.district(house, terms=world.contract(house, more="providers: {facebook: {}}"))
    signing_in.connections.connect(made.id, "facebook", facebook.application(), by="test")
    return made


def somebody(house: House, district: District, facebook: Facebook, kind: Kind, *, further: str = "") -> None:
    """Of this kind, with Facebook as a way in, and a further account there as another."""
    subject = Subject(provider="facebook", issuer=facebook.site, client_id=facebook.client_id, subject=GRACE)
    with house.database.tenant(district.id) as connection:
        grant = connection.execute(sa.text("SELECT id, epoch FROM grants WHERE provider = 'facebook'")).one()
        source = people.Source(grant_id=grant.id, epoch=grant.epoch, run_id=None, at=house.clock.now())
        made = people.create(connection, district.keys, subject, kind=kind, source=source, keep_subject=True)
        if further:
            other = dataclasses.replace(subject, subject=further)
            people.add_identity(connection, district.keys, made, other, source=source, keep_subject=True)
