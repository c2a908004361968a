"""Adversarial test 5: stop a process between its check and its send, revoke, get the acknowledgement, let it go on.

Zero bytes may leave afterwards. The processes are real, and so are SIGSTOP and SIGCONT.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.benchmarks.revocation.__main__ import place_on
from tests.benchmarks.revocation.histories import Place
from tests.benchmarks.revocation.workers import Act, Point

SENDERS = [Act.TOKEN, Act.SYNC, Act.SCORE]


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    with place_on(database_url, 3) as found:
        yield found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("act", SENDERS)
def test_a_sender_that_was_stopped_after_its_check_sends_nothing_once_it_goes_on(place: Place, act: Act) -> None:
    ids, worker = place.connection(1), place.workers[0]
    assert worker.begin(act, ids, Point.CHECKED) is None
    place.revoke(ids)
    assert place.finish(ids, 30)
    sent, stood = place.provider.of(ids.client), place.derived(ids)
    worker.go_on()
    time.sleep(0.3)
    assert place.provider.of(ids.client) == sent
    assert place.derived(ids) == stood


@pytest.mark.timeout(300)
def test_three_kinds_of_sender_stopped_at_once_send_nothing(place: Place) -> None:
    ids = place.connection(1)
    for worker, act in zip(place.workers, SENDERS, strict=True):
        assert worker.begin(act, ids, Point.CHECKED) is None
    place.revoke(ids)
    assert place.finish(ids, 30)
    sent = place.provider.of(ids.client)
    for worker in place.workers:
        worker.go_on()
    time.sleep(0.3)
    assert place.provider.of(ids.client) == sent


@pytest.mark.timeout(300)
def test_a_sender_stopped_past_the_fence_is_waited_for_and_its_answer_is_kept_by_nobody(place: Place) -> None:
    """Nearer to the wire there is no going back: the acknowledgement waits instead, and says for how many."""
    ids, worker = place.connection(1), place.workers[0]
    assert worker.begin(Act.TOKEN, ids, Point.SENDING) is None
    place.revoke(ids)
    assert not place.finish(ids, 0.2)
    assert place.house.grants.withdraw.in_flight(ids.district, ids.grant) == 1
    assert worker.go_on().startswith("refused")
    assert place.finish(ids, 30)
    assert worker.begin(Act.TOKEN, ids, None) == "refused: GrantRevoked"
