"""What somebody who is signed in asks of their district about their own data: a case for the district, not an act.

A district answers for its pupils (Art. II 2): it corrects, erases and restricts, and knows who may ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import InvalidInput, NotFound, TooManyRequests
from lti_server.ids import Clock, DistrictId, PersonId, new_id
from lti_server.privacy import log
from lti_server.privacy.card_numbers import has_card_number
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.privacy.guardian_requests import KEPT
from lti_server.privacy.holdings import DataSubject
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.rights import SubjectOf
from lti_server.privacy.tables import own_request

LONGEST = 1_000
MOST_OPEN = 5
"""Of one person. Whoever has so many waits for an answer first."""
MOST_SHOWN = 200


class Wish(StrEnum):
    """What somebody can ask for."""

    CORRECT = "correct"
    LEAVE = "leave"
    """To leave a class."""
    RESTRICT = "restrict"
    """That nothing goes to somebody."""
    ERASE = "erase"
    QUESTION = "question"


WANT_WORDS = frozenset({Wish.CORRECT, Wish.LEAVE, Wish.RESTRICT, Wish.QUESTION})
"""What nobody can answer without words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCase:
    """What somebody asked. `text` is None once it is answered or too old, and where nothing was written."""

    id: UUID
    person_id: PersonId
    wish: Wish
    received_at: datetime
    due_on: date | None
    answered_at: datetime | None
    text: str | None = field(repr=False)


class OwnRequests:
    """Opens cases, and lets a district read and answer its own.

    `due_on` is the day by which a district answers, as at the guardian's door.
    """

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        subject_of: SubjectOf,
        due_on: Callable[[Connection, District, datetime], date | None],
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._subject_of = subject_of
        self._due_on = due_on
        self._journal = journal
        self._clock = clock

    def ask(self, district_id: DistrictId, person_id: PersonId, wish: str, text: str) -> None:
        """Open a case about the one who asks; what is written is encrypted under that person's key.

        Raises:
            InvalidInput: the wish is none, or the words are missing or too long. NotFound: the person was erased.
            TooManyRequests: five of this person's are not answered yet.
        """
        said = text.replace("\x00", "").strip()
        if wish not in {one.value for one in Wish}:
            raise InvalidInput("Choose what you ask for.")
        if len(said) > LONGEST or (not said and wish in WANT_WORDS):
            raise InvalidInput(f"Write in at most {LONGEST} characters what you ask for.")
        if has_card_number(said):
            raise InvalidInput("This looks like the number of a payment card. Leave it out: it is never needed here.")
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            subject = self._living(connection, district, person_id)
            self._not_too_many(connection, person_id)
            self._open(connection, district, subject, Wish(wish), said)

    def erase_on(self, connection: Connection, district: District, person_id: PersonId) -> UUID:
        """Open the case of somebody who asked their provider for an erasure; the one that is open already is it.

        Raises:
            NotFound: the person was erased.
        """
        subject = self._living(connection, district, person_id)
        found = connection.execute(_OPEN_ERASURE, {"person": person_id}).scalar_one_or_none()
        return found or self._open(connection, district, subject, Wish.ERASE, "")

    def _living(self, connection: Connection, district: District, person_id: PersonId) -> DataSubject:
        """Whoever asks. The row stays locked: two who ask at once are counted one after the other."""
        subject = self._subject_of(connection, district.keys, person_id, self._clock.now(), lock=True)
        if subject is None or subject.key is None:
            raise NotFound("This account was erased.")
        return subject

    def _open(self, connection: Connection, district: District, subject: DataSubject, wish: Wish, said: str) -> UUID:
        now, case_id, person_id = self._clock.now(), new_id(), subject.person_id
        assert subject.key is not None
        sealed = subject.key.seal("own_request", "sealed", case_id, said) if said else None
        connection.execute(
            own_request.insert().values(
                id=case_id, district_id=district.id, person_id=person_id, wish=wish.value, sealed=sealed,
                received_at=now, due_on=self._due_on(connection, district, now), expires_at=now + KEPT,
            )
        )  # fmt: skip
        self._log(connection, district.keys, f"person:{person_id}", "own request", person_id, log.Interest.OWN_DATA)
        return case_id

    def of_person(self, connection: Connection, subject: DataSubject) -> list[OwnCase]:
        """What somebody has asked, newest first, without what was written."""
        r = own_request.c
        wanted = sa.select(own_request).where(r.person_id == subject.person_id).order_by(r.received_at.desc())
        return [_case(dict(row._mapping), None) for row in connection.execute(wanted)]

    def cases(self, district_id: DistrictId, *, by: str) -> list[OwnCase]:
        """What is not answered yet, oldest first, opened; each that was read is in the log of whoever asked."""
        r = own_request.c
        found: list[OwnCase] = []
        with self._database.tenant(district_id) as connection:
            keys = self._district(connection).keys
            open_ones = sa.select(own_request).where(r.answered_at.is_(None)).order_by(r.received_at).limit(MOST_SHOWN)
            for row in connection.execute(open_ones).all():
                subject = self._subject_of(connection, keys, PersonId(row.person_id), self._clock.now())
                if subject is None or subject.key is None:
                    continue
                sealed = row.sealed
                text = None if sealed is None else subject.key.open("own_request", "sealed", row.id, bytes(sealed))
                found.append(_case(dict(row._mapping), text))
                self._log(connection, keys, by, "own request see", subject.person_id, log.Interest.SCHOOL_OFFICIAL)
        return found

    def answered(self, district_id: DistrictId, case_id: UUID, *, by: str) -> None:
        """The district has answered: what was written goes at once, and the person reads that it was.

        Raises:
            NotFound: the district has no such case that is open.
        """
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            person_id = _answer(connection, case_id, by=by, at=now)
            if person_id is None:
                raise NotFound("There is no such request, or it was answered.")
            keys, interest = self._district(connection).keys, log.Interest.SCHOOL_OFFICIAL
            self._log(connection, keys, by, "own request answer", person_id, interest)
            self._journal.append(JournalKind.ANSWER, district_id=district_id, at=now, case=str(case_id))

    def replay(self, entry: JournalEntry) -> bool:
        """Wipe again what a restored backup has of a case that was answered; False where there is nothing."""
        assert entry.district_id is not None
        with self._database.tenant(entry.district_id) as connection:
            return _answer(connection, UUID(entry.said["case"]), by="restore", at=entry.at) is not None

    def expire(self, connection: Connection) -> None:
        """Wipe the words that are too old in the entered district."""
        r = own_request.c
        old = own_request.update().where(r.expires_at < self._clock.now(), r.sealed.is_not(None))
        connection.execute(old.values(sealed=None))

    def _not_too_many(self, connection: Connection, person_id: PersonId) -> None:
        r = own_request.c
        waiting = sa.select(sa.func.count()).where(r.person_id == person_id, r.answered_at.is_(None))
        if connection.execute(waiting).scalar_one() >= MOST_OPEN:
            raise TooManyRequests("Your district has not answered what you asked before. Wait.", retry_after_s=86_400)

    def _log(
        self, connection: Connection, keys: DistrictKeys, by: str, act: str, person_id: PersonId, why: log.Interest
    ) -> None:
        entry = log.entry(
            keys, at=self._clock.now(), actor=by, act=act, decision="allowed", purpose="operation",
            object_id=person_id, population="person", interest=why,
        )  # fmt: skip
        log.record(connection, entry)


_OPEN_ERASURE = sa.text(
    "SELECT id FROM own_request WHERE person_id = :person AND wish = 'erase' AND answered_at IS NULL LIMIT 1"
)


def _answer(connection: Connection, case_id: UUID, *, by: str, at: datetime) -> PersonId | None:
    """Whose case it was; None where there is no such case that is open."""
    r = own_request.c
    done = own_request.update().where(r.id == case_id, r.answered_at.is_(None)).returning(r.person_id)
    found = connection.execute(done.values(answered_at=at, answered_by=by, sealed=None)).scalar_one_or_none()
    return None if found is None else PersonId(found)


def _case(row: Mapping[str, object], text: str | None) -> OwnCase:
    values = {name: row[name] for name in ("id", "person_id", "received_at", "due_on", "answered_at")}
    return OwnCase(**values, wish=Wish(str(row["wish"])), text=text)  # type: ignore[arg-type]  # a row, by its names
