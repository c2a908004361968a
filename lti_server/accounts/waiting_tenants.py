"""School systems from which somebody came by the operator's application, and which no district has connected.

Nothing of a person is kept: which system, on which days, how often. A stranger who makes up many of them fills no more
than a page, and what nobody asked for again is gone after 90 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from lti_server.db import Database, metadata
from lti_server.ids import Clock
from lti_server.privacy.holdings import Table, nobody

TASK = "tenants.forget"
FORGET_AT = "40 3 * * *"
DAYS_KEPT = 90
MOST_OF_A_PROVIDER = 200
LONGEST_TENANT = 255

waiting_tenant = sa.Table(
    "waiting_tenant",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("first_seen_on", sa.Date, nullable=False),
    sa.Column("last_seen_on", sa.Date, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
)
WAITING = Table(
    name="waiting_tenant",
    columns=nobody(
        "provider tenant first_seen_on last_seen_on times",
        "a school system, as its provider names it, from which somebody came; not who",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingTenant:
    """One that waits. Days, not moments: a moment could be somebody's."""

    provider: str
    tenant: str
    first_seen_on: date
    last_seen_on: date
    times: int


class WaitingTenants:
    """Counts them, shows them to the operator, and forgets them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def seen(self, provider: str, tenant: str) -> None:
        """Somebody of this tenant came. Where there are too many of a provider's already, a new one is not kept."""
        if not tenant.isprintable() or len(tenant) > LONGEST_TENANT:
            return
        values = {"provider": provider, "tenant": tenant, "today": self._today(), "most": MOST_OF_A_PROVIDER}
        with self._database.anyone() as connection:
            if connection.execute(_AGAIN, values).rowcount == 0:
                connection.execute(_ALONE, values)  # counted one at a time, so that the most is the most
                connection.execute(_NEW, values)

    def every(self) -> Sequence[WaitingTenant]:
        """All of them, those first that waited longest; for the operator."""
        with self._database.anyone() as connection:
            rows = connection.execute(_EVERY, {"before": self._last_day()}).all()
        return [WaitingTenant(**row._mapping) for row in rows]

    def one(self, provider: str, tenant: str) -> WaitingTenant | None:
        """One of them; for whoever has proven that it is theirs."""
        return next((one for one in self.every() if (one.provider, one.tenant) == (provider, tenant)), None)

    def connected(self, provider: str, tenant: str) -> None:
        """It waits no longer."""
        with self._database.anyone() as connection:
            connection.execute(_CONNECTED, {"provider": provider, "tenant": tenant})

    def forget(self) -> int:
        """Take away those from which nobody came for 90 days; how many."""
        with self._database.anyone() as connection:
            return connection.execute(_FORGET, {"before": self._last_day()}).rowcount

    def _today(self) -> date:
        return self._clock.now().date()

    def _last_day(self) -> date:
        return self._today() - timedelta(days=DAYS_KEPT)


_AGAIN = sa.text(
    "UPDATE waiting_tenant SET last_seen_on = :today, times = least(times + 1, 1000000)"
    " WHERE provider = :provider AND tenant = :tenant"
)
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('waiting_tenant|' || :provider, 0))")
_NEW = sa.text(
    "INSERT INTO waiting_tenant (provider, tenant, first_seen_on, last_seen_on, times)"
    " SELECT :provider, :tenant, :today, :today, 1"
    " WHERE (SELECT count(*) FROM waiting_tenant WHERE provider = :provider) < :most"
    " ON CONFLICT (provider, tenant) DO UPDATE SET times = waiting_tenant.times + 1"
)
_EVERY = sa.text(
    "SELECT provider, tenant, first_seen_on, last_seen_on, times FROM waiting_tenant WHERE last_seen_on >= :before"
    " ORDER BY first_seen_on, provider, tenant"
)
_CONNECTED = sa.text("DELETE FROM waiting_tenant WHERE provider = :provider AND tenant = :tenant")
_FORGET = sa.text("DELETE FROM waiting_tenant WHERE last_seen_on < :before")
