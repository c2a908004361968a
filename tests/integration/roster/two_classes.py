"""Two classes of an LMS that were read, with a pupil of both and one of each; and what stands of them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from lti_server.accounts.store import Source
from lti_server.app import House
from lti_server.ids import SectionId, new_id
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from lti_server.roster.arrival import CourseSaid, put_section
from lti_server.roster.model import RunState
from tests.integration.roster.test_sync import a_class
from tests.peers.member_list import MemberList


def course(
    house: House, district: District, platform: Registered, peer: MemberList, name: str, *, epoch: int = 1
) -> SectionId:
    source = Source(grant_id=platform.grant_id, epoch=epoch, run_id=None, at=house.clock.now())
    with house.database.tenant(district.id) as connection:
        scope = str(connection.execute(sa.text("SELECT id FROM deployment")).scalars().first())
        said = CourseSaid(scope=scope, source_id=name, name=name, memberships_url=peer.url(name))
        return put_section(connection, district.id, source, said)


@dataclasses.dataclass
class Two:
    """Two classes that were read: a pupil of both, and one of each."""

    kept: SectionId
    left: SectionId


def pupil(name: str) -> dict[str, Any]:
    found = dict(a_class(1)[-1])
    return {**found, "user_id": name, "name": name.title(), "lis_person_sourcedid": f"sis-{name}"}


@pytest.fixture
def two(house: House, district: District, platform: Registered, peer: MemberList) -> Two:
    peer.courses = {"kept": [pupil("both"), pupil("inside")], "left": [pupil("both"), pupil("outside")]}
    made = Two(*(course(house, district, platform, peer, name) for name in ("kept", "left")))
    assert house.sync_roster()(district).state is RunState.APPLIED
    return made


def rows(house: House, district: District, statement: str, **values: Any) -> list[Any]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement), values).all())


def live(house: House, district: District) -> dict[str, int]:
    found = rows(
        house, district,
        "SELECT s.source_id AS name, count(*) AS n FROM membership m JOIN section s ON s.id = m.section_id"
        " WHERE m.ended_at IS NULL GROUP BY 1",
    )  # fmt: skip
    return {row.name: row.n for row in found}


def session_in(house: House, district: District, platform: Registered, section: SectionId) -> UUID:
    """A pupil of a class, signed in."""
    session_id, now = new_id(), house.clock.now()
    with house.database.tenant(district.id) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO session (id, district_id, person_id, role, grant_id, grant_epoch, membership_id,"
                " created_at, expires_at) SELECT :id, district_id, person_id, 'pupil', grant_id, 1, id, :now, :until"
                " FROM membership WHERE section_id = :section AND ended_at IS NULL ORDER BY id LIMIT 1"
            ),
            {"id": session_id, "now": now, "until": now + timedelta(hours=1), "section": section},
        )
    return session_id
