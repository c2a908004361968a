"""The rule that a read of a roster counts only as a whole (design law 5); part of the SPI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lti_server.providers.errors import BrokeContract
from lti_server.providers.records import RosterPage


def to_the_end(pages: Iterable[RosterPage]) -> Iterator[RosterPage]:
    """The same pages, one at a time, with their promise checked.

    Raises:
        BrokeContract: the read stops without a complete page, goes on after one, changes between whole and
            delta, or announced more or fewer records than it gave.
    """
    last: RosterPage | None = None
    counts = {"person": 0, "section": 0, "membership": 0}
    for page in pages:
        if last is not None and last.complete:
            raise BrokeContract("The provider went on after its last page; nothing of this read is used.")
        if last is not None and last.delta != page.delta:
            raise BrokeContract("The provider mixed a whole read with changes; nothing of this read is used.")
        if page.complete != (page.cursor is None):
            raise BrokeContract("A page of the provider is neither the last nor says where to go on.")
        counts["person"] += len(page.people)
        counts["section"] += len(page.sections)
        counts["membership"] += len(page.memberships)
        last = page
        yield page
    if last is None or not last.complete:
        raise BrokeContract("The provider's answer was cut short; nothing of this read is used.")
    for kind, announced in last.announced.items():
        if counts[kind] != announced:
            raise BrokeContract(
                f"The provider announced {announced} records of kind {kind} and gave {counts[kind]}; "
                "nothing of this read is used."
            )
