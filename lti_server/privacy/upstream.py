"""Giving tokens back to their provider: sealed for the revoker alone, wiped on success and at the latest in a day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import LtiServerError
from lti_server.ids import Clock, DistrictId, GrantId, new_id
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.participants import Done
from lti_server.privacy.tables import grants, revocation, upstream_revocation
from lti_server.providers.faults import server_errors
from lti_server.providers.records import SourceToken, TokenKind
from lti_server.providers.spi import GrantRevoker

TASK = "grants.give_back"
KEPT_FOR = timedelta(hours=24)
LONGEST_WAIT = timedelta(hours=2)


# Of the withdrawal that has left it over, or of whoever left the provider.
_GRANT = sa.func.coalesce(revocation.c.grant_id, upstream_revocation.c.grant_id).label("grant_id")


class Queue(Protocol):
    def defer(
        self, connection: Connection, task: str, *, queueing_lock: str, schedule_at: datetime, **arguments: str
    ) -> bool: ...


class RevokerOf(Protocol):
    def __call__(self, district: District, grant_id: GrantId, provider: str) -> GrantRevoker:
        """The provider's revoker, configured for this grant; raises an error of ours where it has none."""
        ...


class GiveBack:
    """Keeps tokens for the revoker, and uses each until the provider has taken it back.

    Nothing else reads these rows. This call is the one that a withdrawal leaves over (law 4).
    """

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        revoker_of: RevokerOf,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._revoker_of = revoker_of
        self._queue = queue
        self._clock = clock

    def keep(self, connection: Connection, district: District, revocation_id: UUID, done: Done) -> None:
        """Seal what a participant gave up, and queue its return, on the caller's transaction."""
        now = self._clock.now()
        for token in done.upstream:
            row_id = new_id()
            plain = json.dumps({"value": token.value, "kind": token.kind.value})
            connection.execute(
                sa.insert(upstream_revocation).from_select(
                    ["id", "district_id", "revocation_id", "provider", "sealed", "state", "queued_at", "until"],
                    sa.select(
                        sa.literal(row_id, sa.Uuid), revocation.c.district_id, revocation.c.id, grants.c.provider,
                        sa.literal(
                            district.keys.seal("upstream_revocation", "sealed", row_id, plain), sa.LargeBinary
                        ),
                        sa.literal("waiting"), sa.literal(now, sa.DateTime(timezone=True)),
                        sa.literal(now + KEPT_FOR, sa.DateTime(timezone=True)),
                    )
                    .join(grants, grants.c.id == revocation.c.grant_id)
                    .where(revocation.c.id == revocation_id),
                )
            )  # fmt: skip
            self._defer(connection, district.id, row_id, now)

    def keep_of_one(
        self, connection: Connection, district: District, grant_id: GrantId, provider: str, token: SourceToken
    ) -> None:
        """As `keep`, for one person who leaves a provider whose grant goes on."""
        now, row_id = self._clock.now(), new_id()
        plain = json.dumps({"value": token.value, "kind": token.kind.value})
        connection.execute(
            upstream_revocation.insert().values(
                id=row_id, district_id=district.id, grant_id=grant_id, provider=provider,
                sealed=district.keys.seal("upstream_revocation", "sealed", row_id, plain), state="waiting",
                queued_at=now, until=now + KEPT_FOR,
            )
        )  # fmt: skip
        self._defer(connection, district.id, row_id, now)

    def run_job(self, district_id: str, token_id: str) -> None:
        """Give one token back; what fails is tried again until its day is over."""
        tenant, wanted = DistrictId(UUID(district_id)), UUID(token_id)
        with self._database.tenant(tenant) as connection:
            district = self._district(connection)
            row = self._waiting(connection, wanted)
            if row is None:
                return
            if self._clock.now() >= row.until:
                self._settle(connection, district, wanted, row.grant_id, "given_up")
                return
        plain = json.loads(district.keys.open("upstream_revocation", "sealed", wanted, bytes(row.sealed)))
        token = SourceToken(value=plain["value"], kind=TokenKind(plain["kind"]))
        try:
            revoker = self._revoker_of(district, GrantId(row.grant_id), row.provider)
            with server_errors(row.provider):
                revoker.revoke(token)
        except LtiServerError:
            self._later(tenant, wanted)
            return
        with self._database.tenant(tenant) as connection:
            self._settle(connection, district, wanted, row.grant_id, "done")

    def wipe_overdue(self, connection: Connection, district_id: DistrictId) -> None:
        """No token outlives its day, whether a job ran or not; those that still wait get a job again."""
        now = self._clock.now()
        district = self._district(connection)
        rows = connection.execute(
            sa.select(upstream_revocation.c.id, upstream_revocation.c.until, _GRANT)
            .outerjoin(revocation, revocation.c.id == upstream_revocation.c.revocation_id)
            .where(upstream_revocation.c.state == "waiting", upstream_revocation.c.district_id == district_id)
        ).all()
        for row in rows:
            if now >= row.until:
                self._settle(connection, district, row.id, row.grant_id, "given_up")

    def _waiting(self, connection: Connection, wanted: UUID) -> Any:
        return connection.execute(
            sa.select(
                upstream_revocation.c.sealed, upstream_revocation.c.until, upstream_revocation.c.provider,
                _GRANT,
            )
            .outerjoin(revocation, revocation.c.id == upstream_revocation.c.revocation_id)
            .where(upstream_revocation.c.id == wanted, upstream_revocation.c.state == "waiting")
        ).one_or_none()  # fmt: skip

    def _later(self, tenant: DistrictId, wanted: UUID) -> None:
        with self._database.tenant(tenant) as connection:
            attempts = connection.execute(
                upstream_revocation.update()
                .where(upstream_revocation.c.id == wanted, upstream_revocation.c.state == "waiting")
                .values(attempts=upstream_revocation.c.attempts + 1)
                .returning(upstream_revocation.c.attempts)
            ).scalar_one_or_none()
            if attempts is not None:
                wait = min(timedelta(seconds=2 ** min(attempts, 13)), LONGEST_WAIT)
                self._defer(connection, tenant, wanted, self._clock.now() + wait)

    def _settle(self, connection: Connection, district: District, wanted: UUID, grant_id: UUID, state: str) -> None:
        """The token is gone from here, however its return ended; the receipt says which."""
        settled = connection.execute(
            upstream_revocation.update()
            .where(upstream_revocation.c.id == wanted, upstream_revocation.c.state == "waiting")
            .values(state=state, sealed=None, settled_at=self._clock.now())
        ).rowcount
        if settled:
            entry = log.entry(
                district.keys, at=self._clock.now(), actor="grants.give_back", act="token given back",
                decision="allowed", purpose="operation", object_id=grant_id, payload={"outcome": state},
            )  # fmt: skip
            log.record(connection, entry)

    def _defer(self, connection: Connection, tenant: DistrictId, token_id: UUID, at: datetime) -> None:
        self._queue.defer(
            connection, TASK, queueing_lock=f"{TASK}:{token_id}", schedule_at=at,
            district_id=str(tenant), token_id=str(token_id),
        )  # fmt: skip
