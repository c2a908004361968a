"""The last way in stays (roster-and-identity B3)."""

from __future__ import annotations

import pytest

from lti_server.accounts.linking import WayIn, may_link, may_remove
from lti_server.accounts.model import Kind
from lti_server.ids import IdentityId, new_id
from lti_server.providers import SPI_VERSION
from lti_server.providers.manifest import Capability, Manifest
from lti_server.providers.records import PersonRole

ONE, OTHER = IdentityId(new_id()), IdentityId(new_id())


@pytest.mark.parametrize(
    ("ways", "may"),
    [
        ([(ONE, True)], False),
        ([(ONE, True), (OTHER, True)], True),
        ([(ONE, True), (OTHER, False)], False),
        ([(ONE, False), (OTHER, True)], True),
        ([(ONE, False), (OTHER, False)], False),
        ([(OTHER, True)], False),
        ([], False),
    ],
)
def test_an_identity_goes_only_where_another_way_in_stands(ways: list[tuple[IdentityId, bool]], may: bool) -> None:
    found = [WayIn(id=identity_id, stands=stands) for identity_id, stands in ways]
    assert may_remove(found, ONE) is may


def provider(*, adults_only: bool = False) -> Manifest:
    return Manifest(
        name="x",
        version="1",
        spi_version=SPI_VERSION,
        capabilities=frozenset({Capability.LOGIN}),
        adults_only=adults_only,
    )


@pytest.mark.parametrize(
    ("kind", "known", "role", "may"),
    [
        (Kind.PUPIL, Kind.PUPIL, None, True),
        (Kind.PUPIL, Kind.STAFF, None, False),
        (Kind.STAFF, Kind.PUPIL, None, False),
        (Kind.STAFF, Kind.STAFF, None, True),
        (Kind.PUPIL, None, None, True),
        (Kind.PUPIL, None, PersonRole.PUPIL, True),
        (Kind.PUPIL, None, PersonRole.TEACHER, False),
        (Kind.PUPIL, None, PersonRole.STAFF, False),
        (Kind.STAFF, None, None, True),
        (Kind.STAFF, None, PersonRole.TEACHER, True),
        (Kind.STAFF, None, PersonRole.PUPIL, False),
    ],
)
def test_a_pupils_and_a_teachers_account_are_never_one(
    kind: Kind, known: Kind | None, role: PersonRole | None, may: bool
) -> None:
    assert may_link(kind, provider(), known=known, role=role) is may
    assert may_link(kind, provider(adults_only=True), known=known, role=role) is (may and kind is Kind.STAFF)
