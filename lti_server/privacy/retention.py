"""How long what was collected is kept: each element for the days of its contract, and no day longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import Clock, GrantId
from lti_server.privacy import log
from lti_server.privacy.contracts import Policies
from lti_server.privacy.districts import District
from lti_server.privacy.model import Policy
from lti_server.privacy.tables import contract as contracts

# Later than anything that was ever collected: what is not stored by contract goes whatever its age.
WHATEVER_ITS_AGE = datetime.max.replace(tzinfo=UTC)
MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What one policy says of age, at one moment. Pure."""

    policy: Policy
    now: datetime

    def collected_before(self, element: str) -> datetime:
        """What of a pupil's element was collected before this moment is past its time."""
        days = self.policy.retain_days.get(element)
        return WHATEVER_ITS_AGE if days is None else self.now - timedelta(days=days)

    def drops_of_educators(self, element: str) -> bool:
        """Whether the contract has no such element of educators (any more). Their schedule sets no days."""
        return element not in self.policy.educator_elements


class Keeper(Protocol):
    """A feature that keeps elements at rest."""

    def purge(self, connection: Connection, retention: Retention, most: int) -> Mapping[str, int]:
        """Take away at most so many rows or values past their time; how many there were, by element.

        Running it again takes away what is left, and then changes nothing more (law 10).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a run took away, by element. `capped`: some is left for the next run.

    `narrowed` are the connections that reach fewer by the contract from now on.
    """

    counts: Mapping[str, int]
    capped: bool
    narrowed: tuple[GrantId, ...] = ()


class Follow(Protocol):
    """Brings what connections reach into line with a policy; `contract_population.Populations` is it."""

    def __call__(self, connection: Connection, district: District, policy: Policy, *, by: str) -> list[GrantId]: ...


class Retain:
    """Purges a district's values past their time, with an entry in its log."""

    def __init__(self, keepers: Sequence[Keeper], policies: Policies, follow: Follow, clock: Clock) -> None:
        self._keepers = tuple(keepers)
        self._policies = policies
        self._follow = follow
        self._clock = clock

    def __call__(
        self, connection: Connection, district: District, *, actor: str = "retention", most: int = MOST_ROWS
    ) -> Purged:
        """Purge on the caller's transaction, in the entered district: a rollback is a rehearsal.

        A contract that has ended still says how long what it allowed is kept. A district that never had one in force
        has nothing that could be kept, and nothing is touched.
        """
        now = self._clock.now()
        policy = self._policy(connection, district, now)
        if policy is None:
            return Purged(counts={}, capped=False)
        narrowed = self._follow(connection, district, policy, by=actor)
        retention = Retention(policy=policy, now=now)
        counts: dict[str, int] = {}
        capped = False
        for keeper in self._keepers:
            for element, count in keeper.purge(connection, retention, most).items():
                counts[element] = counts.get(element, 0) + count
                capped = capped or count >= most
        counts = {element: count for element, count in sorted(counts.items()) if count}
        if counts:
            log.record(connection, _entry(district, policy, counts, actor, now))
        return Purged(counts=counts, capped=capped, narrowed=tuple(narrowed))

    def _policy(self, connection: Connection, district: District, now: datetime) -> Policy | None:
        """The policy of the newest contract that has begun, in force or ended."""
        today = now.astimezone(district.zone).date()
        begun = sa.select(contracts.c.id).where(contracts.c.valid_from <= today)
        newest = connection.execute(begun.order_by(contracts.c.version.desc()).limit(1)).scalar_one_or_none()
        return None if newest is None else self._policies.of(connection, newest)


def _entry(
    district: District, policy: Policy, counts: Mapping[str, int], actor: str, now: datetime
) -> dict[str, object]:
    return log.entry(
        district.keys, at=now, actor=actor, act="retention", decision="allowed", purpose="operation",
        elements=tuple(counts), payload={"policy": policy.policy_hash, "purged": dict(counts)},
    )  # fmt: skip
