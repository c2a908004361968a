"""Erasing a person: everything that is kept goes in one transaction, and the key with it (docs/adr/0010).

Before that, grades that are on their way are withdrawn and those in an LMS cleared, for afterwards nobody knows under
which id the LMS has them. That waits for other systems, so it has a transaction of its own and a bound; a crash in
between is resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import NotFound
from lti_server.ids import Clock, DistrictId, PersonId, new_id
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.holdings import DataSubject
from lti_server.privacy.journal import Journal, JournalKind
from lti_server.privacy.participants import Holder
from lti_server.privacy.rights import OnePerson, SubjectOf, plain
from lti_server.privacy.signed_documents import Kind
from lti_server.privacy.tables import erasure, erasure_receipt

PATIENCE_S = 30.0
LOOK_EVERY_S = 1.0
RESUMED_AFTER = timedelta(minutes=5)
RECEIPT = Kind(
    name="erasure-receipt",
    version=1,
    members=frozenset({"person", "asked_by", "requested_at", "erased_at", "keeps_grades", "parts"}),
)


class Grades(Protocol):
    """Scores on their way to an LMS."""

    def withdraw(self, connection: Connection, district_id: DistrictId, person_id: PersonId) -> int:
        """Drop what never left, queue the rest as cleared."""
        ...

    def waiting(self, connection: Connection, person_id: PersonId) -> Sequence[UUID]:
        """Deliveries that are to be sent."""
        ...

    def send(self, district_id: DistrictId, delivery_id: UUID) -> None:
        """One try; it waits, settles or parks by itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """An erasure as its receipt tells it: counts by participant, and nobody's name."""

    person_id: PersonId
    asked_by: str
    requested_at: datetime
    erased_at: datetime | None
    keeps_grades: bool
    parts: tuple[dict[str, Any], ...]

    def plain(self) -> dict[str, Any]:
        said = {
            "person": self.person_id, "asked_by": self.asked_by, "requested_at": self.requested_at,
            "erased_at": self.erased_at, "keeps_grades": self.keeps_grades,
        }  # fmt: skip
        return {**plain(said), "parts": [plain(one) for one in self.parts]}


class Erase:
    """Erases people. Run again, it changes nothing more (law 10) and answers with the same receipt."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        holders: Sequence[Holder],
        subject_of: SubjectOf,
        one_person: OnePerson,
        grades: Grades,
        journal: Journal,
        document_keys: DocumentKeys,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._holders = holders
        self._subject_of = subject_of
        self._one_person = one_person
        self._grades = grades
        self._journal = journal
        self._document_keys = document_keys
        self._clock = clock

    def __call__(
        self,
        district_id: DistrictId,
        person_id: PersonId,
        *,
        by: str,
        keeps_grades: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> Erased:
        """Erase one person. `keeps_grades`: what stands in the school's gradebooks is left there.

        Where two became one, both go, whichever of them is named: each with its key, its receipt and its line outside.

        Raises:
            NotFound: there is no such person in the district.
        """
        both = self._begin(district_id, person_id, by=by, keeps_grades=keeps_grades)
        if not keeps_grades:
            for one in both:
                self._clear_grades(district_id, one, patience_s)
        return next(done for done in [self._finish(district_id, one) for one in both] if done.person_id == person_id)

    def resume_all(self, connection: Connection, district_id: DistrictId) -> list[PersonId]:
        """Whose erasure began and was left by a crash; `finish` goes on with each."""
        before = self._clock.now() - RESUMED_AFTER
        left = sa.select(erasure.c.person_id).where(erasure.c.erased_at.is_(None), erasure.c.requested_at < before)
        return [PersonId(one) for one in connection.execute(left).scalars()]

    def finish(self, district_id: DistrictId, person_id: PersonId) -> Erased:
        """The second half alone: for what a crash has left, and for a restored backup."""
        return self._finish(district_id, person_id)

    def replay(self, district_id: DistrictId, person_id: PersonId, *, by: str = "restore") -> Erased | None:
        """Erase again what a restored backup has brought back; None where the backup does not know the person."""
        try:
            both = self._begin(district_id, person_id, by=by, keeps_grades=True)
        except NotFound:
            return None
        return next(done for done in [self._finish(district_id, one) for one in both] if done.person_id == person_id)

    def receipt_file(self, district_id: DistrictId, person_id: PersonId) -> bytes:
        """The receipt as one signed file, the same at every call.

        Raises:
            NotFound: nobody with this id was erased.
        """
        with self._database.tenant(district_id) as connection:
            found = self._read(connection, person_id)
            if found is None or found.erased_at is None:
                raise NotFound("Nobody with this id was erased.")
            return self._document_keys.sign(
                connection, RECEIPT, found.plain(), district_id=district_id, at=found.erased_at
            )

    def _begin(
        self, district_id: DistrictId, person_id: PersonId, *, by: str, keeps_grades: bool
    ) -> Sequence[PersonId]:
        """Write down that everybody goes who is this person, in one transaction; who that is."""
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            both = self._one_person(connection, person_id)
            for one in sorted(both):
                subject = self._subject_of(connection, keys, one, now, lock=True)
                if subject is None:
                    raise NotFound("There is no person with this id.")
                if self._read(connection, one) is not None:
                    continue
                connection.execute(
                    erasure.insert().values(
                        person_id=one, district_id=district_id, asked_by=by, keeps_grades=keeps_grades,
                        requested_at=now,
                    )
                )  # fmt: skip
                if not keeps_grades:
                    self._grades.withdraw(connection, district_id, one)
        return both

    def _clear_grades(self, district_id: DistrictId, person_id: PersonId, patience_s: float) -> None:
        """Send what clears a gradebook, as long as there is patience; what is left then is told in the receipt."""
        ends = time.monotonic() + patience_s
        while True:
            with self._database.tenant(district_id) as connection:
                waiting = self._grades.waiting(connection, person_id)
            for delivery_id in waiting:
                if time.monotonic() < ends:
                    self._grades.send(district_id, delivery_id)
            if not waiting or time.monotonic() + LOOK_EVERY_S > ends:
                return
            time.sleep(LOOK_EVERY_S)

    def _finish(self, district_id: DistrictId, person_id: PersonId) -> Erased:
        """One transaction: every holder, the key, the receipts, the log's entry, and last the line outside."""
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            subject = self._subject_of(connection, keys, person_id, now, lock=True)
            found = self._read(connection, person_id)
            if subject is None or found is None:
                raise NotFound("There is no person with this id.")
            for holder in self._holders:
                self._take_part(connection, subject, holder, found)
            if found.erased_at is None:
                done = erasure.update().where(erasure.c.person_id == person_id)
                connection.execute(done.values(erased_at=now))
                self._log(connection, subject, found)
                self._journal.append(JournalKind.ERASURE, district_id=district_id, at=now, person=str(person_id))
            settled = self._read(connection, person_id)
            assert settled is not None
        return settled

    def _take_part(self, connection: Connection, subject: DataSubject, holder: Holder, found: Erased) -> None:
        """One holder's part with its receipt; a repeat that found nothing left adds none."""
        did = dict(holder.erase(connection, subject))
        if not did or (not any(did.values()) and any(one["participant"] == holder.name for one in found.parts)):
            return
        connection.execute(
            erasure_receipt.insert().values(
                id=new_id(), district_id=subject.district_id, person_id=subject.person_id, participant=holder.name,
                at=subject.at, did=did,
            )
        )  # fmt: skip

    def _read(self, connection: Connection, person_id: PersonId) -> Erased | None:
        row = connection.execute(sa.select(erasure).where(erasure.c.person_id == person_id)).one_or_none()
        if row is None:
            return None
        r = erasure_receipt.c
        parts = connection.execute(
            sa.select(r.participant, r.at, r.did).where(r.person_id == person_id).order_by(r.at, r.participant)
        )
        return Erased(
            person_id=person_id, asked_by=row.asked_by, requested_at=row.requested_at, erased_at=row.erased_at,
            keeps_grades=row.keeps_grades, parts=tuple(dict(one._mapping) for one in parts),
        )  # fmt: skip

    def _log(self, connection: Connection, subject: DataSubject, found: Erased) -> None:
        entry = log.entry(
            subject.keys, at=subject.at, actor=found.asked_by, act="person erase", decision="allowed",
            purpose="operation", object_id=subject.person_id, population="person", interest=log.Interest.OWN_DATA,
            payload={"keeps_grades": found.keeps_grades},
        )  # fmt: skip
        log.record(connection, entry)
