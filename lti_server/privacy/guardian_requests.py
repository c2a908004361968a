"""The guardian's door: what somebody asks of a district about a child. A case for the district, and nothing more.

No record is looked up and none is named, so that no answer, and no time that it takes, says whether a child is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by
from lti_server.errors import InvalidInput, NotFound, TooManyRequests
from lti_server.ids import Clock, DistrictId, new_id
from lti_server.privacy import log
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.tables import guardian_request

LONGEST = 4_000
MOST_OPEN = 1_000
KEPT = timedelta(days=90)
ACCESS = "access_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What was asked. `text` is None once it is answered or too old; `due_on` by the strictest number in force."""

    id: UUID
    received_at: datetime
    due_on: date | None
    answered_at: datetime | None
    text: str | None = field(repr=False)


class GuardianRequests:
    """Opens cases, and lets a district read and answer its own."""

    def __init__(
        self,
        *,
        database: Database,
        doors: DoorKeys,
        district: Callable[[Connection], District],
        policies: Policies,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._doors = doors
        self._district = district
        self._policies = policies
        self._journal = journal
        self._clock = clock

    def open(self, slug: str, text: str) -> None:
        """Open a case at the district with this code. Nobody learns whether there is one.

        Raises:
            InvalidInput: there is no text, or too much.
            TooManyRequests: the district has a thousand cases that nobody answered.
        """
        said = text.replace("\x00", "").strip()
        if not 0 < len(said) <= LONGEST:
            raise InvalidInput(f"Write in at most {LONGEST} characters what you ask for.")
        with self._database.anyone() as connection:
            if enter_by(connection, Door.DISTRICT, self._doors.of(Door.DISTRICT, slug.strip().lower())) is None:
                return
            district, now, r = self._district(connection), self._clock.now(), guardian_request.c
            waiting = sa.select(sa.func.count()).where(r.answered_at.is_(None), r.sealed.is_not(None))
            if connection.execute(waiting).scalar_one() >= MOST_OPEN:
                raise TooManyRequests("Too much is asked here at the moment. Write to the school.", retry_after_s=3600)
            case_id = new_id()
            connection.execute(
                guardian_request.insert().values(
                    id=case_id, district_id=district.id, received_at=now, expires_at=now + KEPT,
                    due_on=due_on(connection, self._policies, district, now),
                    sealed=district.keys.seal("guardian_request", "sealed", case_id, said),
                )
            )  # fmt: skip
            self._log(connection, district, f"case:{case_id}", "request open", log.Interest.OWN_DATA)

    def cases(self, district_id: DistrictId, *, by: str) -> list[Case]:
        """The district's cases, oldest first, opened; that they were read is in the log."""
        r = guardian_request.c
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            rows = connection.execute(sa.select(guardian_request).order_by(r.received_at).limit(MOST_OPEN)).all()
            self._log(connection, district, by, "requests see", log.Interest.SCHOOL_OFFICIAL)
        return [
            Case(
                id=row.id, received_at=row.received_at, due_on=row.due_on, answered_at=row.answered_at,
                text=None if row.sealed is None
                else district.keys.open("guardian_request", "sealed", row.id, bytes(row.sealed)),
            )
            for row in rows
        ]  # fmt: skip

    def answered(self, district_id: DistrictId, case_id: UUID, *, by: str) -> None:
        """The district has answered: what was written here goes at once.

        Raises:
            NotFound: the district has no such case that is open.
        """
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            if not _answer(connection, case_id, by=by, at=now):
                raise NotFound("There is no such request, or it was answered.")
            self._log(connection, self._district(connection), by, "request answer", log.Interest.SCHOOL_OFFICIAL)
            self._journal.append(JournalKind.ANSWER, district_id=district_id, at=now, case=str(case_id))

    def replay(self, entry: JournalEntry) -> bool:
        """Wipe again what a restored backup has of a case that was answered; False where there is nothing."""
        assert entry.district_id is not None
        with self._database.tenant(entry.district_id) as connection:
            return _answer(connection, UUID(entry.said["case"]), by="restore", at=entry.at)

    def expire(self, connection: Connection) -> None:
        """Wipe what is too old in the entered district."""
        old = guardian_request.update().where(
            guardian_request.c.expires_at < self._clock.now(), guardian_request.c.sealed.is_not(None)
        )
        connection.execute(old.values(sealed=None))

    def _log(self, connection: Connection, district: District, by: str, act: str, interest: log.Interest) -> None:
        entry = log.entry(
            district.keys, at=self._clock.now(), actor=by, act=act, decision="allowed", purpose="operation",
            interest=interest,
        )  # fmt: skip
        log.record(connection, entry)


def due_on(connection: Connection, policies: Policies, district: District, now: datetime) -> date | None:
    """By which day the entered district answers what is asked now; None where nothing in force sets one."""
    contract_id = in_force(connection, district.zone, now)
    limit = None if contract_id is None else policies.of(connection, contract_id).limits.get(ACCESS)
    return None if limit is None else now.astimezone(district.zone).date() + timedelta(days=limit.value)


def _answer(connection: Connection, case_id: UUID, *, by: str, at: datetime) -> bool:
    r = guardian_request.c
    done = guardian_request.update().where(r.id == case_id, r.answered_at.is_(None))
    return connection.execute(done.values(answered_at=at, answered_by=by, sealed=None)).rowcount > 0
