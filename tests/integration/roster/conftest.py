"""A district whose LMS tells of its classes on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import stamina

from lti_server.accounts.store import Source
from lti_server.app import House
from lti_server.ids import SectionId
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from lti_server.roster.arrival import CourseSaid, put_section
from tests.integration.lms_with_classes import district, house, peer, platform
from tests.integration.roster.two_classes import two
from tests.peers.member_list import MemberList

__all__ = ["district", "house", "peer", "platform", "two"]


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """A read that fails is tried again at once."""
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def launched(house: House, district: District, platform: Registered, peer: MemberList) -> Callable[[str], SectionId]:
    """Makes the section of a course as its first launch does."""

    def make(name: str) -> SectionId:
        source = Source(grant_id=platform.grant_id, epoch=1, run_id=None, at=house.clock.now())
        said = CourseSaid(scope="deployment", source_id=name, name=f"Class {name}", memberships_url=peer.url(name))
        with house.database.tenant(district.id) as connection:
            return put_section(connection, district.id, source, said)

    return make


@pytest.fixture
def section(launched: Callable[[str], SectionId]) -> SectionId:
    return launched("course-1")
