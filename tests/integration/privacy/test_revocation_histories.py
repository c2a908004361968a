"""The property of a revocation over real processes, as `make revocation` has it at length (I1 to I5)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.revocation.__main__ import first_phase, histories, place_on
from tests.benchmarks.revocation.histories import WORKERS, Place
from tests.benchmarks.revocation.workers import Act, Point


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    with place_on(database_url, WORKERS) as found:
        yield found


@pytest.mark.timeout(600)
def test_nothing_is_read_sent_or_kept_after_the_acknowledgement(place: Place) -> None:
    histories(place, 12)
    assert place.tally.histories >= 12


@pytest.mark.timeout(300)
@pytest.mark.parametrize("act", [Act.TOKEN, Act.SYNC, Act.SCORE])
def test_a_process_stopped_before_its_request_is_waited_for(place: Place, act: Act) -> None:
    """Check, stop, revoke: the simple design acknowledges here, and the request goes out afterwards."""
    ids, worker = place.connection(1), place.workers[0]
    assert worker.begin(act, ids, Point.SENDING) is None
    place.revoke(ids)
    assert not place.finish(ids, 0.2)
    assert place.house.grants.withdraw.in_flight(ids.district, ids.grant) == 1
    worker.go_on()
    assert place.finish(ids, 30)
    sent = place.provider.of(ids.client)
    assert worker.begin(act, ids, None) is not None
    assert place.provider.of(ids.client) == sent


@pytest.mark.timeout(300)
@pytest.mark.parametrize("act", [Act.TOKEN, Act.SYNC, Act.SESSION])
def test_a_process_stopped_before_its_commit_commits_nothing_afterwards(place: Place, act: Act) -> None:
    """Wherever it stands when the grant is revoked, what is there at the acknowledgement is what stays."""
    for nth in range(1, 6):
        ids, worker = place.connection(nth), place.workers[0]
        stopped = worker.begin(act, ids, Point.COMMITTING, nth) is None
        place.revoke(ids)
        finished = place.finish(ids, 0.2)
        stood = place.derived(ids) if finished else None
        if stopped:
            worker.go_on()
        assert place.finish(ids, 30)
        assert stood is None or place.derived(ids) == stood


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", list(Point))
def test_a_process_that_is_killed_holds_up_nothing(place: Place, point: Point) -> None:
    ids, worker = place.connection(1), place.workers[0]
    assert worker.begin(Act.TOKEN, ids, point) is None
    place.revoke(ids)
    worker.kill()
    assert place.finish(ids, 30)
    assert worker.begin(Act.TOKEN, ids, None) == "refused: GrantRevoked"


@pytest.mark.timeout(300)
def test_the_first_phase_waits_for_nobody(place: Place) -> None:
    took, late = first_phase(place, 2)
    assert late == 0
    assert took[-1] < 5
