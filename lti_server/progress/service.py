"""Saving an attempt and going on from where one left off. One transaction a use case."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import InvalidInput
from lti_server.ids import Clock, ContractId, PersonId
from lti_server.lessons.handoff import LessonSession
from lti_server.lessons.model import Lesson
from lti_server.privacy import schedule
from lti_server.privacy.card_numbers import has_card_number
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin, Policy, Purpose
from lti_server.privacy.reading import Reading, for_purpose
from lti_server.privacy.store_gate import leave
from lti_server.progress.model import Attempt, Summary, Whose
from lti_server.progress.sites import LessonSites

EARLIEST_S = 30 * 86_400
LATEST_AHEAD = timedelta(minutes=5)
PURPOSE = Purpose.INSTRUCTION


class Sessions(Protocol):
    def bearer(self, connection: Connection, token: str) -> LessonSession:
        """Whose token this is, on the caller's transaction; raises NotAuthenticated."""
        ...


class Lessons(Protocol):
    def find(self, lesson_id: str) -> Lesson | None: ...


class Store(Protocol):
    """Attempts at rest, on the caller's transaction."""

    def add(
        self,
        connection: Connection,
        keys: DistrictKeys,
        key: PersonKey,
        whose: Whose,
        attempt: Attempt,
        now: datetime,
    ) -> bool: ...

    def place_of(self, connection: Connection, person_id: PersonId, attempt_id: UUID) -> tuple[str, str]: ...

    def summaries(
        self, connection: Connection, person_id: PersonId, lesson_id: str, reading: Reading
    ) -> dict[str, Summary]: ...

    def last_work(
        self, connection: Connection, key: PersonKey, person_id: PersonId, lesson_id: str, reading: Reading
    ) -> dict[str, str]: ...


class GradeOutbox(Protocol):
    def queue(
        self, connection: Connection, session: LessonSession, lesson: Lesson, found: Mapping[str, Summary]
    ) -> None:
        """Put the grades that follow into the outbox on the caller's transaction, where they may go back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The answer to an attempt; no summary where nothing is kept."""

    saved: bool
    summary: Summary | None = None


class Progress:
    """What a lesson's token may do."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: Sessions,
        lessons: Lessons,
        policies: Policies,
        district: Callable[[Connection], District],
        outbox: GradeOutbox,
        store: Store,
        sites: LessonSites,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._lessons = lessons
        self._policies = policies
        self._district = district
        self._outbox = outbox
        self._store = store
        self._sites = sites
        self._clock = clock

    def record(self, token: str, attempt: Attempt) -> Saved:
        """Keep an attempt, add it up, and queue the grade that follows, or keep nothing.

        Idempotent on (person, attempt_id). Without a pupil's live membership, or where the contract does not keep
        performance, nothing is kept and the answer says so.

        Raises:
            NotAuthenticated: the token does not stand.
            InvalidInput: the lesson has no such activity, takes no written answer, or the time lies ahead.
        """
        with self._database.anyone() as connection:
            session = self._sessions.bearer(connection, token)
            lesson = self._lesson(session)
            check(attempt, lesson, self._clock.now())
            district = self._district(connection)
            policy = self._policy(connection, district)
            self._sites.check(connection, district, policy, lesson, session)
            performance = leave(policy, schedule.PERFORMANCE, purpose=PURPOSE, origin=Origin.STUDENT)
            if performance is None or not _is_pupil(connection, session):
                return Saved(saved=False)
            work = leave(policy, schedule.WORK, purpose=PURPOSE, origin=Origin.STUDENT)
            if work is None or lesson.no_pii:
                attempt = dataclasses.replace(attempt, work=None, answers=None)
            key = person_key(connection, district.keys, session.person_id)
            _lock(connection, session)
            whose = Whose(
                person_id=session.person_id, lesson_id=lesson.id, membership_id=session.membership_id,
                grant_id=session.grant_id, epoch=session.grant_epoch, performance=performance, work=work,
            )  # fmt: skip
            added = self._store.add(connection, district.keys, key, whose, attempt, self._clock.now())
            if not added:
                self._check_repeated(connection, session.person_id, lesson, attempt)
            reading = for_purpose(policy, PURPOSE)
            found = self._store.summaries(connection, session.person_id, lesson.id, reading)
            if added:
                self._outbox.queue(connection, session, lesson, found)
            return Saved(saved=True, summary=found[attempt.activity_id])

    def _check_repeated(self, connection: Connection, person_id: PersonId, lesson: Lesson, attempt: Attempt) -> None:
        """The same attempt again changes nothing; another attempt under its id is a mistake of the lesson's."""
        if self._store.place_of(connection, person_id, attempt.attempt_id) != (lesson.id, attempt.activity_id):
            fault = ("/attempt_id", "Another attempt has this id. Make a new one for each attempt.")
            raise InvalidInput.listing("The attempt was not saved.", [fault])

    def check_anonymous(self, attempt: Attempt) -> Saved:
        """An attempt of nobody: looked at, and kept nowhere (A-02)."""
        if attempt.occurred_at > self._clock.now() + LATEST_AHEAD:
            raise _ahead()
        return Saved(saved=False)

    def state(self, token: str) -> dict[str, Any]:
        """Where the pupil stands in the lesson of the token, with their last work (A-22).

        Nowhere, where the contract does not let progress be read for instruction (any more).
        """
        with self._database.anyone() as connection:
            session = self._sessions.bearer(connection, token)
            lesson = self._lesson(session)
            district = self._district(connection)
            policy = self._policy(connection, district)
            self._sites.check(connection, district, policy, lesson, session)
            if not _keeps(policy, schedule.PERFORMANCE):
                return {"lesson_id": lesson.id, "activities": []}
            reading = for_purpose(policy, PURPOSE)
            found = self._store.summaries(connection, session.person_id, lesson.id, reading)
            key = person_key(connection, district.keys, session.person_id)
            work = {}
            if reading.allows(schedule.WORK):
                work = self._store.last_work(connection, key, session.person_id, lesson.id, reading)
            rows = [
                {
                    "activity_id": activity.id,
                    "attempts": one.attempts,
                    "best_score": one.best_score,
                    "completed": one.completed,
                    "optimal": one.optimal,
                    "work": json.loads(work[activity.id]) if activity.id in work else None,
                }
                for activity in lesson.activities
                if (one := found.get(activity.id)) is not None
            ]
            return {"lesson_id": lesson.id, "activities": rows}

    def pseudonym(self, session: LessonSession) -> str:
        """Who somebody is to one lesson on another site: stable there, and of no use anywhere else.

        Raises:
            ContractForbids: the contract does not name that site, or lets nothing leave to it (any more).
        """
        with self._database.tenant(session.district_id) as connection:
            district = self._district(connection)
            policy = self._policy(connection, district)
            return self._sites.pseudonym(connection, district, policy, self._lesson(session), session)

    def _lesson(self, session: LessonSession) -> Lesson:
        lesson = self._lessons.find(session.lesson_id)
        if lesson is None:
            raise InvalidInput("This lesson is no longer here. Nothing was saved.")
        return lesson

    def _policy(self, connection: Connection, district: District) -> Policy | None:
        contract_id: ContractId | None = in_force(connection, district.zone, self._clock.now())
        return None if contract_id is None else self._policies.of(connection, contract_id)


def check(attempt: Attempt, lesson: Lesson, now: datetime) -> None:
    """An attempt fits its lesson. Raises `InvalidInput` with every fault."""
    faults = []
    activity = lesson.activity(attempt.activity_id)
    if activity is None:
        faults.append(("/activity_id", "The lesson has no such activity."))
    if attempt.occurred_at > now + LATEST_AHEAD:
        faults.append(("/occurred_at", "This time lies ahead. Check the clock."))
    if lesson.no_pii and attempt.answers is not None:
        faults.append(("/answers", "This lesson takes no personal field at all, and so no written answer (A-03)."))
    if attempt.answers is not None and has_card_number(attempt.answers):
        faults.append(
            ("/answers", "This looks like the number of a payment card. Take it out; none is ever kept (A-70).")
        )
    if faults:
        raise InvalidInput.listing("The attempt was not saved.", faults)


def _ahead() -> InvalidInput:
    return InvalidInput.listing(
        "The attempt was not taken.", [("/occurred_at", "This time lies ahead. Check the clock.")]
    )


def _lock(connection: Connection, session: LessonSession) -> None:
    """One attempt of a pupil and lesson after another: a grade is made of all that was saved before it."""
    name = f"{session.person_id}|{session.lesson_id}"
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def _keeps(policy: Policy | None, element: str) -> bool:
    return policy is not None and policy.keeps(element, Purpose.INSTRUCTION, Origin.STUDENT)


def _is_pupil(connection: Connection, session: LessonSession) -> bool:
    """A pupil's membership that is live at this moment, in whichever section of the course a roster has put them."""
    if session.membership_id is None:
        return False
    return connection.execute(_PUPIL, {"id": session.membership_id}).first() is not None


_PUPIL = sa.text(
    """
SELECT 1 FROM membership began JOIN section b ON b.id = began.section_id
JOIN membership m ON m.person_id = began.person_id AND m.role = 'pupil' AND m.ended_at IS NULL
JOIN section s ON s.id = m.section_id
  AND coalesce(s.course_section_id, s.id) = coalesce(b.course_section_id, b.id)
WHERE began.id = :id
"""
)


def person_key(connection: Connection, keys: DistrictKeys, person_id: PersonId) -> PersonKey:
    """The key of somebody who was not erased."""
    wrapped = connection.execute(
        sa.text("SELECT wrapped_key FROM person WHERE id = :id"), {"id": person_id}
    ).scalar_one_or_none()
    if wrapped is None:
        raise InvalidInput("This account was erased. Nothing was saved.")
    return keys.person_key(person_id, bytes(wrapped))
