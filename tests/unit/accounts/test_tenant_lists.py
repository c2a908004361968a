"""What a look at a list of tenants means."""

from __future__ import annotations

import pytest

from lti_server.accounts.tenant_lists import LOOK_EVERY, UNREAD_LOOKS, Judged, Known, judge
from lti_server.privacy.inference import Evidence

MISSING, UNREAD = Evidence.TENANT_MISSING, Evidence.TENANTS_UNREAD


def test_a_list_is_looked_at_at_least_every_ten_minutes() -> None:
    minutes, *others = LOOK_EVERY.split()
    assert others == ["*"] * 4
    every = int(minutes.removeprefix("*/"))
    assert every <= 10
    assert 60 % every == 0  # so that it is the same at the end of an hour
    assert every * UNREAD_LOOKS <= 30  # an outage that lasts is acted on within half an hour


@pytest.mark.parametrize(
    ("known", "named", "judged"),
    [
        (Known(), True, Judged(unread=0, missing=False)),
        (Known(unread=2), True, Judged(unread=0, missing=False)),
        (Known(), False, Judged(unread=0, missing=True, suspend=MISSING)),
        (Known(unread=2), False, Judged(unread=0, missing=True, suspend=MISSING)),
        (Known(missing=True, suspended_on=MISSING), False, Judged(unread=0, missing=True)),
        (Known(missing=True, suspended_on=MISSING), True, Judged(unread=0, missing=False, lift=True)),
        # Somebody resumed it by hand, and the list does not name it yet.
        (Known(missing=True), False, Judged(unread=0, missing=True)),
        (Known(missing=True), True, Judged(unread=0, missing=False)),
        (Known(), None, Judged(unread=1, missing=False)),
        (Known(unread=1), None, Judged(unread=2, missing=False)),
        (Known(unread=2), None, Judged(unread=3, missing=False, suspend=UNREAD)),
        (Known(unread=3), None, Judged(unread=4, missing=False)),
        (Known(unread=3, suspended_on=UNREAD), None, Judged(unread=4, missing=False)),
        (Known(unread=9, suspended_on=UNREAD), True, Judged(unread=0, missing=False, lift=True)),
        (Known(unread=9, suspended_on=UNREAD), False, Judged(unread=0, missing=True, suspend=MISSING)),
        (Known(unread=2, missing=True, suspended_on=MISSING), None, Judged(unread=3, missing=True)),
        (Known(by_hand=True), True, Judged(unread=0, missing=False)),
        (Known(by_hand=True), False, Judged(unread=0, missing=False)),
        (Known(unread=2, missing=True, by_hand=True), None, Judged(unread=0, missing=False)),
    ],
)
def test_evidence_suspends_once_and_is_over_once_the_list_names_the_tenant(
    known: Known, named: bool | None, judged: Judged
) -> None:
    assert judge(known, named) == judged
