"""The last way in stays (roster-and-identity B3)."""

from __future__ import annotations

import pytest

from lti_server.accounts.linking import WayIn, may_remove
from lti_server.ids import IdentityId, new_id

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
