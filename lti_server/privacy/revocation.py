"""Withdrawing a grant in two phases: refuse everything new, wait for what is in flight, then acknowledge (design 2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import Clock, DistrictId, GrantId, SectionId, new_id
from lti_server.privacy import grants, log, population
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import GrantState, Use
from lti_server.privacy.journal import Journal, JournalKind
from lti_server.privacy.participants import Done, Participant, Withdrawal
from lti_server.privacy.tables import grants as grants_table
from lti_server.privacy.tables import revocation, revocation_receipt

TASK = "grants.finish"
RESUMED_AFTER = timedelta(seconds=15)
LOOK_EVERY = "1s"
PATIENCE_S = 120.0
BY_CONTRACT = "The contract names a smaller population."


class Queue(Protocol):
    def defer(
        self, connection: Connection, task: str, *, queueing_lock: str, schedule_at: datetime, **arguments: str
    ) -> bool: ...


class Upstream(Protocol):
    """Tells providers that their tokens are given back."""

    def keep(self, connection: Connection, district: District, revocation_id: UUID, done: Done) -> None: ...


DisposeBy = Callable[[Connection, District, date], date | None]
"""The contract's date for data whose grant ended on a day; None where the contract sets none."""
_IN_A_MOMENT = sa.text("SELECT set_config('lock_timeout', :moment, true)")
_EXCLUSIVE = sa.text("SELECT pg_advisory_xact_lock(grant_key(:grant))")
Resumed = Callable[[Connection, DistrictId, GrantId], None]
"""Sets going again what waited while a grant was suspended."""
OnWait = Callable[[int], None]
"""Told about once a second how many pages and sends are in flight."""


class Withdraw:
    """Suspends, resumes and revokes. Each phase is one transaction; a crash between them is resumed by a job."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        participants: Sequence[Participant],
        upstream: Upstream,
        dispose_by: DisposeBy,
        resumed: Resumed,
        journal: Callable[[], Journal],
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._participants = participants
        self._upstream = upstream
        self._dispose_by = dispose_by
        self._resumed = resumed
        self._journal = journal
        self._queue = queue
        self._clock = clock

    def suspend(self, district_id: DistrictId, grant_id: GrantId, *, by: str, reason: str = "") -> None:
        """Freeze: nothing is read, sent or opened; nothing is wiped, and `resume` goes on where it stood (law 5).

        Raises:
            NotFound, Conflict: there is no such grant, or it is not in force.
        """
        with self._database.tenant(district_id) as connection:
            self.suspend_on(connection, grant_id, by=by, reason=reason)

    def suspend_on(self, connection: Connection, grant_id: GrantId, *, by: str, reason: str = "") -> None:
        """`suspend` on the caller's transaction, in the entered district."""
        district = self._move(connection, grant_id, GrantState.SUSPENDED, "grant suspend", by, reason)
        self._journal().append(
            JournalKind.SUSPENSION, district_id=district.id, at=self._clock.now(), grant=str(grant_id)
        )

    def resume(self, district_id: DistrictId, grant_id: GrantId, *, by: str, reason: str = "", on: str = "") -> None:
        """Let a suspended grant go on; with `on`, one that was suspended on this evidence alone.

        Raises:
            NotFound, Conflict: there is no such grant, or it is not suspended (on this evidence).
        """
        with self._database.tenant(district_id) as connection:
            grants.must_be_suspended(connection, grant_id, on)
            self._move(connection, grant_id, GrantState.ACTIVE, "grant resume", by, reason)
            self._resumed(connection, district_id, grant_id)
            now = self._clock.now()
        self._journal().append(JournalKind.RESUMPTION, district_id=district_id, at=now, grant=str(grant_id))

    def begin(
        self,
        district_id: DistrictId,
        grant_id: GrantId,
        *,
        by: str,
        reason: str,
        uses: frozenset[Use] = frozenset(Use),
    ) -> UUID:
        """Phase 1. Once this has returned, every new read, send, launch, session and token use is refused.

        Raises:
            NotFound, Conflict: there is no such grant, or nothing of it is there to be withdrawn.
        """
        with self._database.tenant(district_id) as connection:
            return self.begin_on(connection, grant_id, by=by, reason=reason, uses=uses)

    def begin_on(
        self,
        connection: Connection,
        grant_id: GrantId,
        *,
        by: str,
        reason: str,
        uses: frozenset[Use] = frozenset(Use),
        asked_at: datetime | None = None,
    ) -> UUID:
        """Phase 1 on the caller's transaction, in the entered district: it holds once that has committed.

        `asked_at`: where it is done again after a restore, when it was asked for; the contract's days count from it.

        Raises:
            NotFound, Conflict: as `begin`.
        """
        now, district = self._clock.now(), self._district(connection)
        sealed = district.keys.seal("revocation", "reason", grant_id, reason)
        begun = grants.withdraw(connection, grant_id, by=by, now=asked_at or now, uses=uses, reason=sealed)
        if not begun.fresh:
            return begun.id
        if begun.standing.uses:
            withdrawal = self._read(connection, district, begun.id)
            for participant in self._participants:
                participant.carry_on(connection, withdrawal)
        told = {"reason": reason, "uses": sorted(uses), "epoch": begun.standing.epoch}
        self._log(connection, district, "grant revoke", by, grant_id, told)
        self._again(connection, district.id, grant_id, now + RESUMED_AFTER)
        self._journal().append(
            JournalKind.REVOCATION, district_id=district.id, at=now, grant=str(grant_id), epoch=begun.standing.epoch,
            uses=sorted(uses),
        )  # fmt: skip
        return begun.id

    def narrow(
        self, district_id: DistrictId, grant_id: GrantId, keep: Sequence[SectionId], *, by: str, reason: str
    ) -> UUID:
        """Phase 1 of a narrowing: from here on these sections alone are reached; for all others it is a revocation.

        Raises:
            NotFound, Conflict: there is no such grant, or it is withdrawn.
        """
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            sealed = district.keys.seal("revocation", "reason", grant_id, reason)
            begun, standing = population.narrow(connection, grant_id, keep, by=by, now=now, reason=sealed)
            told = {"reason": reason, "sections": [str(one) for one in keep], "epoch": standing.epoch}
            self._carry_on(connection, district, begun, grant_id, by=by, told=told)
            self._journal().append(
                JournalKind.NARROWING, district_id=district.id, at=now, grant=str(grant_id), epoch=standing.epoch,
                sections=[str(one) for one in keep],
            )  # fmt: skip
        return begun

    def narrow_to_contract_on(self, connection: Connection, grant_id: GrantId, *, by: str) -> None:
        """Phase 1 on the caller's transaction: what the contract's population does not reach any more.

        The journal's line is the contract's own. Raises: as `narrow`.
        """
        now, district = self._clock.now(), self._district(connection)
        sealed = district.keys.seal("revocation", "reason", grant_id, BY_CONTRACT)
        begun, standing = population.narrow_to_contract(connection, grant_id, by=by, now=now, reason=sealed)
        told = {"reason": BY_CONTRACT, "epoch": standing.epoch}
        self._carry_on(connection, district, begun, grant_id, by=by, told=told)

    def _carry_on(
        self,
        connection: Connection,
        district: District,
        begun: UUID,
        grant_id: GrantId,
        *,
        by: str,
        told: Mapping[str, object],
    ) -> None:
        """Whoever is inside goes on under the next epoch; a job ends what a crash would leave of the others."""
        withdrawal = self._read(connection, district, begun)
        for participant in self._participants:
            participant.carry_on(connection, withdrawal)
        self._log(connection, district, "grant narrow", by, grant_id, told)
        self._again(connection, district.id, grant_id, self._clock.now() + RESUMED_AFTER)

    def finish(
        self,
        district_id: DistrictId,
        grant_id: GrantId,
        *,
        patience_s: float = PATIENCE_S,
        on_wait: OnWait = lambda in_flight: None,
    ) -> bool:
        """End what came by the grant, wait for what is in flight, and acknowledge. Run again, it goes on from there.

        False where something is in flight even after `patience_s`: nothing new passes, and a job goes on waiting.
        """
        ends = time.monotonic() + patience_s
        for revocation_id in self._open(district_id, grant_id):
            while not (self._end_all(district_id, revocation_id) and self._acknowledge(district_id, revocation_id)):
                on_wait(self.in_flight(district_id, grant_id))
                if time.monotonic() > ends:
                    return False
        return True

    def in_flight(self, district_id: DistrictId, grant_id: GrantId) -> int:
        """How many pages, sends and commits hold the fence of a grant at this moment."""
        with self._database.tenant(district_id) as connection:
            found = connection.execute(sa.text("SELECT grant_in_flight(:grant)"), {"grant": grant_id})
            return int(found.scalar_one())

    def resume_all(self, connection: Connection, district_id: DistrictId) -> None:
        """Put a job for every withdrawal that nobody has finished, as after a crash."""
        before = self._clock.now() - RESUMED_AFTER
        waiting = connection.execute(
            sa.select(revocation.c.grant_id)
            .where(revocation.c.acknowledged_at.is_(None), revocation.c.requested_at < before)
            .distinct()
        ).scalars()
        for grant_id in waiting.all():
            self._again(connection, district_id, grant_id, self._clock.now())

    def run_job(self, district_id: str, grant_id: str) -> None:
        """The job that resumes: it waits for a while, then makes place and comes again."""
        district, grant = DistrictId(UUID(district_id)), GrantId(UUID(grant_id))
        if not self.finish(district, grant, patience_s=10.0):
            with self._database.tenant(district) as connection:
                self._again(connection, district, grant, self._clock.now())

    def _again(self, connection: Connection, district_id: DistrictId, grant_id: UUID, at: datetime) -> None:
        self._queue.defer(
            connection, TASK, queueing_lock=f"{TASK}:{grant_id}", schedule_at=at,
            district_id=str(district_id), grant_id=str(grant_id),
        )  # fmt: skip

    def _move(
        self, connection: Connection, grant_id: GrantId, to: GrantState, act: str, by: str, reason: str
    ) -> District:
        grants.move(connection, grant_id, to)
        district = self._district(connection)
        self._log(connection, district, act, by, grant_id, {"reason": reason})
        return district

    def _open(self, district_id: DistrictId, grant_id: GrantId) -> list[UUID]:
        with self._database.tenant(district_id) as connection:
            return list(
                connection.execute(
                    sa.select(revocation.c.id)
                    .where(revocation.c.grant_id == grant_id, revocation.c.acknowledged_at.is_(None))
                    .order_by(revocation.c.epoch)
                ).scalars()
            )

    def _end_all(self, district_id: DistrictId, revocation_id: UUID) -> bool:
        """Before anything is waited for: a stopped sender keeps no session open. One transaction a participant.

        False where somebody who is in flight holds a row; what the other participants have is ended all the same.
        """
        ended = True
        for participant in self._participants:
            with _unless_held() as held, self._database.tenant(district_id) as connection:
                connection.execute(_IN_A_MOMENT, {"moment": LOOK_EVERY})
                district = self._district(connection)
                self._take_part(connection, district, participant, self._read(connection, district, revocation_id))
            ended = ended and not held
        return ended

    def _acknowledge(self, district_id: DistrictId, revocation_id: UUID) -> bool:
        """Phase 2: inside the exclusive fence nobody is between check and commit; what slipped in before is ended.

        False where the fence was not to be had for a moment.
        """
        with _unless_held() as held, self._database.tenant(district_id) as connection:
            district = self._district(connection)
            withdrawal = self._read(connection, district, revocation_id)
            connection.execute(_IN_A_MOMENT, {"moment": LOOK_EVERY})
            connection.execute(_EXCLUSIVE, {"grant": withdrawal.grant_id})
            if not self._is_acknowledged(connection, revocation_id):
                for participant in self._participants:
                    self._take_part(connection, district, participant, withdrawal)
                self._settle(connection, district, revocation_id, withdrawal)
        return not held

    def _settle(self, connection: Connection, district: District, revocation_id: UUID, withdrawal: Withdrawal) -> None:
        now = self._clock.now()
        dispose_by = None
        if withdrawal.whole:
            asked = sa.select(revocation.c.requested_at).where(revocation.c.id == revocation_id)
            ended = min(now, connection.execute(asked).scalar_one())
            dispose_by = self._dispose_by(connection, district, ended.astimezone(district.zone).date())
            connection.execute(
                grants_table.update()
                .where(grants_table.c.id == withdrawal.grant_id)
                .values(state=GrantState.REVOKED.value)
            )
        connection.execute(
            revocation.update()
            .where(revocation.c.id == revocation_id)
            .values(acknowledged_at=now, dispose_by=dispose_by)
        )
        told = {"epoch": withdrawal.epoch, "uses": sorted(withdrawal.uses)}
        self._log(connection, district, "grant revoked", f"revocation:{revocation_id}", withdrawal.grant_id, told)

    def _take_part(
        self, connection: Connection, district: District, participant: Participant, withdrawal: Withdrawal
    ) -> None:
        """One participant's part, with its receipt; a repeat that found nothing left adds none."""
        revocation_id = self._id_of(connection, withdrawal)
        done = participant.on_revoked(connection, withdrawal)
        self._upstream.keep(connection, district, revocation_id, done)
        said = (done.last_read_at, done.last_send_at)
        known = sa.select(revocation_receipt.c.last_read_at, revocation_receipt.c.last_send_at).where(
            revocation_receipt.c.revocation_id == revocation_id, revocation_receipt.c.participant == participant.name
        )
        if not any(done.counts.values()) and said in {tuple(row) for row in connection.execute(known)}:
            return
        connection.execute(
            revocation_receipt.insert().values(
                id=new_id(), revocation_id=revocation_id, district_id=district.id, participant=participant.name,
                at=self._clock.now(), did=dict(done.counts), last_read_at=done.last_read_at,
                last_send_at=done.last_send_at,
            )
        )  # fmt: skip

    def _read(self, connection: Connection, district: District, revocation_id: UUID) -> Withdrawal:
        row = connection.execute(
            sa.select(revocation, grants_table.c.uses.label("left"))
            .join(grants_table, grants_table.c.id == revocation.c.grant_id)
            .where(revocation.c.id == revocation_id)
        ).one()
        return Withdrawal(
            district_id=district.id, grant_id=GrantId(row.grant_id), epoch=row.epoch,
            uses=frozenset(map(Use, row.uses)), left=frozenset(map(Use, row.left)), at=self._clock.now(),
            keys=district.keys,
        )  # fmt: skip

    def _id_of(self, connection: Connection, withdrawal: Withdrawal) -> UUID:
        found = sa.select(revocation.c.id).where(
            revocation.c.grant_id == withdrawal.grant_id, revocation.c.epoch == withdrawal.epoch
        )
        return UUID(str(connection.execute(found).scalar_one()))

    def _is_acknowledged(self, connection: Connection, revocation_id: UUID) -> bool:
        found = sa.select(revocation.c.acknowledged_at).where(revocation.c.id == revocation_id).with_for_update()
        return connection.execute(found).scalar_one() is not None

    def _log(
        self,
        connection: Connection,
        district: District,
        act: str,
        by: str,
        grant_id: GrantId,
        told: Mapping[str, object],
    ) -> None:
        entry = log.entry(
            district.keys, at=self._clock.now(), actor=by, act=act, decision="allowed", purpose="operation",
            object_id=grant_id, payload=told,
        )  # fmt: skip
        log.record(connection, entry)


@contextmanager
def _unless_held() -> Iterator[list[bool]]:
    """Holds an entry afterwards where a lock was not to be had in time: the transaction was rolled back."""
    held: list[bool] = []
    try:
        yield held
    except sa.exc.OperationalError as error:
        if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise
        held.append(True)
