"""When a district must have been told of an incident: the strictest of its contract and the laws that bind it (pure).

A contract's hours run from the moment that the incident is confirmed (NDPA Art. V 4), a statute's from its discovery
(8 NYCRR 121.10(a), GDPR Art. 33(2)). A district for which neither sets a number is told without delay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lti_server.privacy.limits import STATUTES
from lti_server.privacy.model import Limit

LIMIT = "breach_notice_hours"
DISCOVERY, CONFIRMATION = "discovery", "confirmation"
WITHOUT_DELAY = "no number is agreed: without undue delay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One clock. `due_at` is None while what it runs from has not happened."""

    clause: str
    hours: int
    runs_from: str
    due_at: datetime | None


Terms = tuple[Mapping[str, Limit], Collection[str]]
"""The limits that a contract sets, and the laws that it says bind its district."""


def deadlines(
    contracts: Iterable[Terms], *, discovered_at: datetime, confirmed_at: datetime | None
) -> tuple[Deadline, ...]:
    """Every clock of one district, the one that ends first at the front, those that do not run yet at the end."""
    found = {one for agreed, laws in contracts for one in _of_contract(agreed, laws, discovered_at, confirmed_at)} or {
        _deadline(WITHOUT_DELAY, 0, DISCOVERY, discovered_at)
    }
    return tuple(sorted(found, key=lambda one: (one.due_at is None, one.due_at or discovered_at, one.clause)))


def _of_contract(
    agreed: Mapping[str, Limit], laws: Collection[str], discovered_at: datetime, confirmed_at: datetime | None
) -> Iterator[Deadline]:
    for one in STATUTES:
        if one.limit == LIMIT and one.law in laws:
            yield _deadline(one.clause, one.value, DISCOVERY, discovered_at)
    own = agreed.get(LIMIT)
    if own is not None:
        yield _deadline(own.clause, own.value, CONFIRMATION, confirmed_at)


def _deadline(clause: str, hours: int, runs_from: str, begins: datetime | None) -> Deadline:
    due_at = None if begins is None else begins + timedelta(hours=hours)
    return Deadline(clause=clause, hours=hours, runs_from=runs_from, due_at=due_at)


def strictest(several: Collection[Deadline]) -> Deadline | None:
    """The clock that ends first over all affected districts; None while none runs."""
    return min((one for one in several if one.due_at is not None), key=lambda one: one.due_at, default=None)  # type: ignore[arg-type,return-value]  # None was left out
