"""Disposition of what was kept (NDPA Exhibit D): asked for, due by the contract's date, run, and certified.

A person whose data nothing else supports is erased, and the key with it (docs/adr/0010); a backup that is restored
erases them again, by the journal. The log stays, with ids alone. Grades in a school's gradebook are the school's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import Conflict, ContractForbids, InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, GrantId, PersonId, new_id
from lti_server.privacy import grants, log
from lti_server.privacy.districts import District
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.grant_states import WITHDRAWN, GrantState
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.model import Limit
from lti_server.privacy.signed_documents import Kind
from lti_server.privacy.tables import disposition as table
from lti_server.privacy.tables import grants as grants_table

MOST_PEOPLE = 2_000
CERTIFICATE = Kind(
    name="disposition-certificate",
    version=2,
    members=frozenset(
        {
            "id",
            "grant",
            "asked_by",
            "requested_at",
            "due_on",
            "days",
            "clause",
            "returned",
            "done_at",
            "did",
            "backups_until",
        }
    ),
)


class Kept(Protocol):
    """Whom and what there is to dispose of; accounts and roster are it."""

    def people(self, connection: Connection, grant_id: GrantId | None, most: int) -> Sequence[PersonId]:
        """Who is not erased, and supported by nothing else than this grant (or, without one, everybody)."""
        ...

    def leftovers(self, connection: Connection, grant_id: GrantId | None) -> Mapping[str, int]:
        """Take away what the grant told of people whom something else supports, and the names of its classes."""
        ...


Erase = Callable[[DistrictId, PersonId, str], object]
LimitOf = Callable[[Connection, District], Limit | None]
"""The days for a disposition by the newest contract, in force or ended, with their clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """One directive. `grant_id` None: the whole district. `returned`: the data was given back before.

    `backups_until`: the day by which no backup has it either; None where the operator states none.
    """

    id: UUID
    grant_id: GrantId | None
    asked_by: str
    requested_at: datetime
    due_on: date
    days: int
    clause: str
    returned: bool
    state: str
    done_at: datetime | None
    did: Mapping[str, int]
    overdue: bool = False
    backups_until: date | None = None

    def plain(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "grant": None if self.grant_id is None else str(self.grant_id),
            "asked_by": self.asked_by, "requested_at": _text(self.requested_at), "due_on": self.due_on.isoformat(),
            "days": self.days, "clause": self.clause, "returned": self.returned, "state": self.state,
            "done_at": None if self.done_at is None else _text(self.done_at), "did": dict(self.did),
            "overdue": self.overdue,
            "backups_until": None if self.backups_until is None else self.backups_until.isoformat(),
        }  # fmt: skip


class Dispose:
    """Takes directives, runs those that are due, and certifies what went. Run again, it changes nothing more."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        limit_of: LimitOf,
        kept: Kept,
        erase: Erase,
        document_keys: DocumentKeys,
        journal: Journal,
        clock: Clock,
        backup_days: int | None,
    ) -> None:
        self._database = database
        self._district = district
        self._limit_of = limit_of
        self._kept = kept
        self._erase = erase
        self._document_keys = document_keys
        self._journal = journal
        self._clock = clock
        self._backup_days = backup_days

    def request(
        self,
        district_id: DistrictId,
        grant_id: GrantId | None,
        *,
        by: str,
        due: date | None = None,
        returned: bool = False,
    ) -> Disposition:
        """Take a directive: by its day at the latest, what is kept is gone.

        Raises:
            NotFound: there is no such grant.
            Conflict: something is still in force, or is asked for already.
            ContractForbids: the contract sets no days. InvalidInput: the day is over, or later than it says.
        """
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            self._ended(connection, grant_id)
            limit = self._limit_of(connection, district)
            if limit is None:
                raise ContractForbids(
                    "The contract sets no days for a disposition. Add the limit disposition_days, with its clause, and "
                    "sign it."
                )
            due_on = _due(now.astimezone(district.zone).date(), limit, due)
            if connection.execute(_OPEN, {"grant": grant_id}).one_or_none() is not None:
                raise Conflict("This is asked for already. `lti-server disposition list` shows it.")
            made = new_id()
            connection.execute(
                table.insert().values(
                    id=made, district_id=district_id, grant_id=grant_id, asked_by=by, requested_at=now, due_on=due_on,
                    days=limit.value, clause=limit.clause, returned=returned, state="waiting",
                )
            )  # fmt: skip
            told = {"disposition": str(made), "due_on": due_on.isoformat(), "returned": returned}
            self._log(connection, district, "disposition request", by, grant_id, told)
            return self._kept_outside(district_id, _read(connection, made))

    def _kept_outside(self, district_id: DistrictId, taken: Disposition) -> Disposition:
        self._journal.append(
            JournalKind.DISPOSITION, district_id=district_id, at=taken.requested_at, disposition=str(taken.id),
            grant="" if taken.grant_id is None else str(taken.grant_id), due=taken.due_on.isoformat(),
            days=taken.days, returned=taken.returned,
        )  # fmt: skip
        return taken

    def replay(self, entry: JournalEntry) -> bool:
        """Take a directive again that a restored backup does not know, for its day; False where there is none to take.

        One of a connection that the backup does not know has nothing to dispose of.
        """
        said, district_id = entry.said, entry.district_id
        values = {
            "id": UUID(said["disposition"]), "district": district_id, "at": entry.at,
            "grant": UUID(said["grant"]) if said["grant"] else None,
            "due": date.fromisoformat(said["due"]), "days": said["days"], "returned": said["returned"],
        }  # fmt: skip
        assert district_id is not None
        with self._database.tenant(district_id) as connection:
            return connection.execute(_AGAIN, values).rowcount > 0

    def every(self, connection: Connection) -> list[Disposition]:
        """Directives of the entered district, oldest first. Overdue is one whose day is over, and that is not done."""
        today = self._clock.now().astimezone(self._district(connection).zone).date()
        rows = connection.execute(sa.select(table).order_by(table.c.requested_at, table.c.id)).all()
        return [replace(_shown(row), overdue=row.done_at is None and row.due_on < today) for row in rows]

    def would(self, district_id: DistrictId, grant_id: GrantId | None) -> dict[str, int]:
        """What a disposition would take away today; nothing is changed."""
        with self._database.tenant(district_id) as connection:
            people = self._kept.people(connection, grant_id, MOST_PEOPLE)
            left = dict(self._kept.leftovers(connection, grant_id))
            connection.rollback()
        return {"people": len(people), **left}

    def run_due(self, district_id: DistrictId) -> list[Disposition]:
        """Run what is due in a district; one that fails is tried again by the next call, and says so."""
        with self._database.tenant(district_id) as connection:
            today = self._clock.now().astimezone(self._district(connection).zone).date()
            self._by_contract(connection, today)
            due = connection.execute(
                sa.select(table.c.id)
                .where(table.c.state != "done", table.c.due_on <= today)
                .order_by(table.c.requested_at)
            ).scalars()
            wanted = list(due)
        done = []
        for one in wanted:
            try:
                done.append(self.run(district_id, one))
            except Exception as error:
                self._failed(district_id, one)
                structlog.get_logger("lti_server.disposition").error(
                    "a disposition failed and is tried again", disposition=str(one), error=type(error).__name__
                )
        return done

    def run(self, district_id: DistrictId, disposition_id: UUID) -> Disposition:
        """Dispose now, also before the day: people first, each with key and receipt, then what is left.

        Raises:
            NotFound: there is no such directive. Conflict: something came into force again.
        """
        with self._database.tenant(district_id) as connection:
            found = _read(connection, disposition_id)
            if found.state == "done":
                return found
            self._ended(connection, found.grant_id)
            _move(connection, found, GrantState.DISPOSING)
            connection.execute(table.update().where(table.c.id == found.id).values(state="running"))
            people = self._kept.people(connection, found.grant_id, MOST_PEOPLE)
        for person_id in people:
            self._erase(district_id, person_id, _by(disposition_id))
        return self._finish(district_id, found)

    def certificate(self, district_id: DistrictId, disposition_id: UUID) -> bytes:
        """The certificate as one signed file, the same at every call.

        Raises:
            NotFound: there is no such directive. Conflict: it is not done yet.
        """
        with self._database.tenant(district_id) as connection:
            found = _read(connection, disposition_id)
            if found.done_at is None:
                raise Conflict(f"This is not done yet; it is due on {found.due_on.isoformat()}.")
            said = found.plain()
            body = {name: said[name] for name in CERTIFICATE.members}
            return self._document_keys.sign(connection, CERTIFICATE, body, district_id=district_id, at=found.done_at)

    def _finish(self, district_id: DistrictId, found: Disposition) -> Disposition:
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            # By the erasures themselves, so that a crash in between takes nobody out of the certificate.
            did = {"people": int(connection.execute(_ERASED, {"by": _by(found.id)}).scalar_one())}
            values: dict[str, object] = {"did": dict(did)}
            if not self._kept.people(connection, found.grant_id, 1):
                did.update(self._kept.leftovers(connection, found.grant_id))
                values = {"did": dict(did), "state": "done", "done_at": now, "backups_until": self._horizon(now)}
                _move(connection, found, GrantState.DISPOSED)
                told = {"disposition": str(found.id), **did}
                self._log(connection, self._district(connection), "disposed", "disposition", found.grant_id, told)
            connection.execute(table.update().where(table.c.id == found.id).values(**values))
            return _read(connection, found.id)

    def _horizon(self, now: datetime) -> date | None:
        """When the last backup from before is gone, as the operator states it today."""
        return None if self._backup_days is None else (now + timedelta(days=self._backup_days)).date()

    def _by_contract(self, connection: Connection, today: date) -> None:
        """What a revoked grant has left goes on the contract's day, also where nobody asks for it."""
        limit = self._limit_of(connection, self._district(connection))
        clause = "the contract at the revocation" if limit is None else limit.clause
        connection.execute(_BY_CONTRACT, {"today": today, "clause": clause})

    def _failed(self, district_id: DistrictId, disposition_id: UUID) -> None:
        with self._database.tenant(district_id) as connection:
            found = _read(connection, disposition_id)
            connection.execute(table.update().where(table.c.id == found.id).values(state="failed"))
            _move(connection, found, GrantState.DISPOSAL_ERROR)

    def _ended(self, connection: Connection, grant_id: GrantId | None) -> None:
        """Nothing may come in again by what is disposed of."""
        if grant_id is not None:
            if grants.standing_of(connection, grant_id).state in WITHDRAWN - {GrantState.REVOKING}:
                return
            raise Conflict("This connection is not revoked. Revoke it first: `lti-server grant revoke`.")
        live = grants_table.c.state.not_in(sorted(WITHDRAWN - {GrantState.REVOKING}))
        if connection.execute(sa.select(grants_table.c.id).where(live).limit(1)).one_or_none() is not None:
            raise Conflict("Something of this district is connected. Revoke its connections first.")

    def _log(
        self,
        connection: Connection,
        district: District,
        act: str,
        by: str,
        grant_id: GrantId | None,
        told: Mapping[str, object],
    ) -> None:
        entry = log.entry(
            district.keys, at=self._clock.now(), actor=by, act=act, decision="allowed", purpose="operation",
            object_id=grant_id, population="district", interest=log.Interest.OPERATION, payload=told,
        )  # fmt: skip
        log.record(connection, entry)


_BY_CONTRACT = sa.text(
    "INSERT INTO disposition (id, district_id, grant_id, asked_by, requested_at, due_on, days, clause, returned, state)"
    " SELECT gen_random_uuid(), r.district_id, r.grant_id, 'contract', r.acknowledged_at, r.dispose_by,"
    " r.dispose_by - r.acknowledged_at::date, :clause, false, 'waiting'"
    " FROM revocation r JOIN grants g ON g.id = r.grant_id"
    " WHERE g.state = 'revoked' AND r.dispose_by <= :today"
    " AND NOT EXISTS (SELECT FROM disposition d WHERE d.grant_id = r.grant_id)"
    " ON CONFLICT DO NOTHING"
)
_AGAIN = sa.text(
    "INSERT INTO disposition (id, district_id, grant_id, asked_by, requested_at, due_on, days, clause, returned, state)"
    " SELECT :id, :district, :grant, 'restore', :at, :due, :days, 'the directive before the restore', :returned,"
    " 'waiting' WHERE CAST(:grant AS uuid) IS NULL OR EXISTS (SELECT FROM grants WHERE id = :grant)"
    " ON CONFLICT DO NOTHING"
)
_ERASED = sa.text("SELECT count(*) FROM erasure WHERE asked_by = :by AND erased_at IS NOT NULL")
_OPEN = sa.text("SELECT 1 FROM disposition WHERE grant_id IS NOT DISTINCT FROM :grant AND state <> 'done'")


def _by(disposition_id: UUID) -> str:
    """How an erasure names the disposition that asked for it."""
    return f"disposition:{disposition_id}"


def _due(today: date, limit: Limit, asked: date | None) -> date:
    last = today + timedelta(days=limit.value)
    if asked is not None and not today <= asked <= last:
        raise InvalidInput.listing(
            "The day was not taken.", [("/due", f"It must be from today to {last.isoformat()} ({limit.clause}).")]
        )
    return asked or last


def _move(connection: Connection, found: Disposition, to: GrantState) -> None:
    """A grant's own state; one that another directive has disposed of stays so."""
    if found.grant_id is None:
        return
    state = grants.standing_of(connection, found.grant_id).state
    if state not in (to, GrantState.DISPOSED):
        grants.move(connection, found.grant_id, to)


def _read(connection: Connection, disposition_id: UUID) -> Disposition:
    row = connection.execute(sa.select(table).where(table.c.id == disposition_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such disposition. `lti-server disposition list` shows those there are.")
    return _shown(row)


def _shown(row: Any) -> Disposition:
    return Disposition(
        id=row.id, grant_id=row.grant_id, asked_by=row.asked_by, requested_at=row.requested_at, due_on=row.due_on,
        days=row.days, clause=row.clause, returned=row.returned, state=row.state, done_at=row.done_at, did=row.did,
        backups_until=row.backups_until,
    )  # fmt: skip


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
