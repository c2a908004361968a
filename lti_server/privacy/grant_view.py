"""What a grant looks like to whoever may withdraw it: states, dates and counts, nothing about a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import NotFound
from lti_server.ids import GrantId
from lti_server.privacy.grant_states import GrantState
from lti_server.privacy.population import reached
from lti_server.privacy.tables import (
    disposition,
    district,
    grants,
    revocation,
    revocation_receipt,
    upstream_revocation,
)
from lti_server.privacy.timetable import Step, steps
from lti_server.web.paging import After

WHOLE = ("all", "none")
Population = Callable[[Connection, str], str]
"""Which pupils the contract in force lets a provider tell of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one participant did in a withdrawal, in all, and when it did its last."""

    participant: str
    at: datetime
    did: dict[str, int]
    last_read_at: datetime | None = None
    last_send_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One withdrawal. `acknowledged_at` is None while something is in flight; `upstream` counts tokens by state."""

    id: UUID
    epoch: int
    uses: tuple[str, ...]
    asked_by: str
    requested_at: datetime
    acknowledged_at: datetime | None
    dispose_by: date | None
    parts: tuple[Part, ...]
    upstream: dict[str, int]
    steps: tuple[Step, ...] = ()

    @property
    def last_read_at(self) -> datetime | None:
        """When something last came from the provider."""
        return latest(one.last_read_at for one in self.parts)

    @property
    def last_send_at(self) -> datetime | None:
        """When something last went to it, as far as it told us that it took it."""
        return latest(one.last_send_at for one in self.parts)

    def plain(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "epoch": self.epoch, "uses": list(self.uses), "asked_by": self.asked_by,
            "requested_at": _text(self.requested_at), "acknowledged_at": _text(self.acknowledged_at),
            "dispose_by": None if self.dispose_by is None else self.dispose_by.isoformat(),
            "parts": [{"participant": one.participant, "at": _text(one.at), "did": one.did} for one in self.parts],
            "last_read_at": _text(self.last_read_at), "last_send_at": _text(self.last_send_at),
            "upstream": self.upstream,
            "steps": [
                {"step": one.name.value, "due_at": _text(one.due_at.astimezone(UTC)), "done_at": _text(one.done_at)}
                for one in self.steps
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant as it stands. `in_flight`: pages, sends and commits under way now.

    `sections` are those that it reaches, None where it reaches all. `suspended_on` is the evidence, None where
    somebody has suspended it, or nobody.
    """

    id: GrantId
    provider: str
    state: str
    epoch: int
    uses: tuple[str, ...]
    population: str
    created_at: datetime
    in_flight: int
    sections: tuple[str, ...] | None
    receipts: tuple[Receipt, ...]
    suspended_on: str | None = None

    def plain(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "state": self.state, "epoch": self.epoch, "provider": self.provider,
            "uses": list(self.uses), "population": self.population, "created_at": _text(self.created_at),
            "in_flight": self.in_flight, "suspended_on": self.suspended_on,
            "sections": None if self.sections is None else list(self.sections),
            "receipts": [one.plain() for one in self.receipts],
        }  # fmt: skip


def every(connection: Connection, population: Population) -> list[GrantView]:
    """Grants of the entered district, oldest first."""
    ids = connection.execute(sa.select(grants.c.id).order_by(grants.c.created_at, grants.c.id)).scalars().all()
    return [view(connection, GrantId(one), population) for one in ids]


def page(connection: Connection, population: Population, begins: After | None, most: int) -> list[GrantView]:
    """At most so many grants of the entered district, oldest first, behind one of them."""
    place = sa.tuple_(grants.c.created_at, grants.c.id)
    wanted = sa.select(grants.c.id).order_by(grants.c.created_at, grants.c.id).limit(most)
    if begins is not None:
        wanted = wanted.where(place > sa.tuple_(sa.literal(begins.at), sa.literal(begins.id)))
    return [view(connection, GrantId(one), population) for one in connection.execute(wanted).scalars().all()]


def view(connection: Connection, grant_id: GrantId, population: Population) -> GrantView:
    """One grant of the entered district.

    Raises:
        NotFound: it has no such grant.
    """
    row = connection.execute(
        sa.select(grants, sa.func.grant_in_flight(grants.c.id).label("in_flight")).where(grants.c.id == grant_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such grant. `lti-server grant list` shows those there are.")
    allowed = population(connection, row.provider)
    return GrantView(
        id=grant_id, provider=row.provider, state=row.state, epoch=row.epoch, uses=tuple(sorted(row.uses)),
        population="sections" if row.narrowed else allowed,
        created_at=row.created_at, in_flight=row.in_flight,
        sections=tuple(map(str, reached(connection, grant_id))) if row.narrowed or allowed not in WHOLE else None,
        receipts=tuple(_receipts(connection, grant_id)),
        suspended_on=row.suspended_on if row.state == GrantState.SUSPENDED else None,
    )  # fmt: skip


def overdue(connection: Connection, now: datetime) -> list[tuple[GrantId, Step]]:
    """Steps of the entered district's withdrawals that should have been done by now, and are not."""
    withdrawn = connection.execute(sa.select(revocation.c.grant_id).distinct().order_by(revocation.c.grant_id))
    return [
        (GrantId(one), step)
        for one in withdrawn.scalars().all()
        for receipt in _receipts(connection, GrantId(one))
        for step in receipt.steps
        if step.overdue(now)
    ]


def _receipts(connection: Connection, grant_id: GrantId) -> list[Receipt]:
    rows = connection.execute(
        sa.select(revocation).where(revocation.c.grant_id == grant_id).order_by(revocation.c.epoch)
    ).all()
    zone = ZoneInfo(connection.execute(sa.select(district.c.timezone)).scalar_one())
    return [
        Receipt(
            id=row.id, epoch=row.epoch, uses=tuple(sorted(row.uses)), asked_by=row.asked_by,
            requested_at=row.requested_at, acknowledged_at=row.acknowledged_at, dispose_by=row.dispose_by,
            parts=tuple(_parts(connection, row.id)), upstream=_upstream(connection, row.id),
            steps=_steps(connection, row, zone),
        )
        for row in rows
    ]  # fmt: skip


def _steps(connection: Connection, row: sa.Row[Any], zone: ZoneInfo) -> tuple[Step, ...]:
    settled = sa.select(upstream_revocation.c.settled_at).where(upstream_revocation.c.revocation_id == row.id)
    disposed = sa.select(sa.func.min(disposition.c.done_at)).where(
        sa.or_(disposition.c.grant_id == row.grant_id, disposition.c.grant_id.is_(None)),
        disposition.c.done_at >= row.requested_at,
    )
    return steps(
        row.requested_at,
        acknowledged_at=row.acknowledged_at,
        given_back=connection.execute(settled).scalars().all(),
        dispose_by=None if row.adopted_by_grant_id is not None else row.dispose_by,
        disposed_at=connection.execute(disposed).scalar_one(),
        zone=zone,
    )


def _parts(connection: Connection, revocation_id: UUID) -> Sequence[Part]:
    rows = connection.execute(
        sa.select(revocation_receipt)
        .where(revocation_receipt.c.revocation_id == revocation_id)
        .order_by(revocation_receipt.c.at)
    ).all()
    return [_part(name, [row for row in rows if row.participant == name]) for name in dict.fromkeys(_names(rows))]


def _names(rows: Sequence[sa.Row[Any]]) -> list[str]:
    return [row.participant for row in rows]


def _part(name: str, rows: Sequence[sa.Row[Any]]) -> Part:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row.did)
    return Part(
        participant=name,
        at=rows[-1].at,
        did=dict(total),
        last_read_at=latest(row.last_read_at for row in rows),
        last_send_at=latest(row.last_send_at for row in rows),
    )


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """The last of those that there are."""
    return max((one for one in times if one is not None), default=None)


def _upstream(connection: Connection, revocation_id: UUID) -> dict[str, int]:
    rows = connection.execute(
        sa.select(upstream_revocation.c.state, sa.func.count())
        .where(upstream_revocation.c.revocation_id == revocation_id)
        .group_by(upstream_revocation.c.state)
    )
    return {str(state): int(count) for state, count in rows.all()}


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
