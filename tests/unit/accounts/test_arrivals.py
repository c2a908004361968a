"""Who comes to a tenant of people who registered themselves is nobody's staff, and says of themself what counts."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from uuid import uuid4

import pytest

from lti_server.accounts.arrivals import Arrival
from lti_server.accounts.connected import Connected
from lti_server.accounts.model import Kind
from lti_server.ids import DistrictId, GrantId
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin
from lti_server.providers import PersonRole, SourceIdentity, SourcePerson


@pytest.mark.parametrize(
    ("slug", "kind", "origin", "says"),
    [
        ("public-us", Kind.PUPIL, Origin.STUDENT, {"sub"}),
        ("north", Kind.STAFF, Origin.SCHOOL, {"sub", "email"}),
        ("publicus", Kind.STAFF, Origin.SCHOOL, {"sub", "email"}),
    ],
)
def test_a_teacher_elsewhere_is_one_in_a_school_alone(slug: str, kind: Kind, origin: Origin, says: set[str]) -> None:
    arrival = arrived(slug)
    assert (arrival.kind, arrival.origin) == (kind, origin)
    assert arrival.said.keys() & {"sub", "email"} == says


def arrived(slug: str) -> Arrival:
    """A teacher with an address that nobody has proven."""
    district_id = DistrictId(uuid4())
    person = SourcePerson(source_id="1", role=PersonRole.TEACHER, email="ada@example.org")
    identity = SourceIdentity(issuer="https://vendor.example", client_id="here", subject="1", person=person)
    district = District(
        id=district_id, slug=slug, name="", timezone="UTC", country="US", locale="en",
        keys=DistrictKeys.made(district_id),
    )  # fmt: skip
    connected = Connected(
        id=uuid4(), district_id=district_id, grant_id=GrantId(uuid4()), provider="vendor", tenant=None,
        config=MappingProxyType({}), own_application=False,
    )  # fmt: skip
    return Arrival(connected=connected, identity=identity, district=district, now=datetime(2026, 9, 1, tzinfo=UTC))
