"""Reading rosters: everything first, then the plan, then holds or one transaction (design 4, walk 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import Connection

from lti_server.accounts.intake import Intake
from lti_server.accounts.model import Known, Subject
from lti_server.accounts.store import subject_hash
from lti_server.db import Database, connect
from lti_server.errors import Conflict, GrantRevoked, LtiServerError, NoContract, NotFound
from lti_server.ids import Clock, DistrictId, GrantId, RunId, SectionId, new_id
from lti_server.privacy import grants, log
from lti_server.privacy.contracts import in_force
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use
from lti_server.providers.records import RosterPage
from lti_server.roster.courses import Part
from lti_server.roster.gate import Class, Course, Heard, Told, admit, hear, left
from lti_server.roster.model import Counts, Hold, ReadableSection, RunState
from lti_server.roster.run import Run

LEASE_WAIT = "60s"
OpenRun = Callable[[Connection, RunId], None]
Follow = Callable[[Connection, District], None]
"""Brings what connections reach into line with the contract in force."""
"""Lets a run be found by its id alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Whose members these are: the key of every identity, and the grant that lets them be read.

    `launched_teachers_stay`: its list calls some who teach pupils, so that their launches decide.
    """

    grant_id: GrantId
    epoch: int
    issuer: str
    client_id: str
    launched_teachers_stay: bool = False


class MemberSource(Protocol):
    """Where a section's members are read."""

    def platform(self, connection: Connection, grant_id: GrantId) -> Platform:
        """Raises GrantRevoked where the grant is not in force."""
        ...

    def read(self, district: District, section: ReadableSection) -> list[RosterPage]:
        """Every page of one section, or an error of ours: never a part."""
        ...


class Records(Protocol):
    """Which sections are read, and what is written of a run; `store` is it."""

    def readable(self, connection: Connection, section_id: SectionId | None) -> list[ReadableSection]: ...

    def begin_run(
        self, connection: Connection, district_id: DistrictId, run_id: RunId, grant_id: GrantId, now: datetime
    ) -> None: ...

    def finish_run(
        self,
        connection: Connection,
        run_id: RunId,
        state: RunState,
        *,
        counts: Counts,
        holds: Sequence[Hold],
        refused: dict[str, int],
        detail: str | None,
        now: datetime,
    ) -> None: ...


class Courses(Protocol):
    """How a course is divided; `courses` is it."""

    def parts(
        self, connection: Connection, run: Run, course: ReadableSection, pages: Sequence[RosterPage]
    ) -> tuple[list[Part], int]: ...

    def note_read(
        self, connection: Connection, course: ReadableSection, pages: Sequence[RosterPage], now: datetime
    ) -> None: ...


class Changes(Protocol):
    """People and memberships, as they stand and as they are to be; `apply` is it."""

    def known(self, connection: Connection, run: Run, subjects: Sequence[Subject]) -> dict[Subject, Known]: ...

    def bring_up(
        self,
        connection: Connection,
        run: Run,
        courses: Sequence[Course],
        told: Mapping[Subject, Told],
        stand: Mapping[Subject, Known],
    ) -> tuple[Counts, list[Hold]]: ...


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the runs of one sync came to; one run a platform."""

    run_ids: list[RunId] = field(default_factory=list)
    state: RunState = RunState.APPLIED
    counts: Counts = field(default_factory=Counts)
    holds: list[Hold] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    blocked: int = 0
    detail: str | None = None

    def add(self, other: Outcome) -> None:
        self.run_ids += other.run_ids
        self.state = max(self.state, other.state, key=_WORST.index)
        self.counts.add(other.counts)
        self.holds += other.holds
        for name, count in other.refused.items():
            self.refused[name] = self.refused.get(name, 0) + count
        self.detail = self.detail or other.detail

    def plain(self) -> dict[str, Any]:
        return {
            "run_id": str(self.run_ids[0]) if self.run_ids else None,
            "run_ids": [str(run_id) for run_id in self.run_ids],
            "state": self.state.value,
            "counts": self.counts.plain(),
            "holds": [{"rule": one.rule, "scope": one.scope, "detail": one.detail} for one in self.holds],
            "refused_fields": dict(self.refused),
            "detail": self.detail,
        }


_WORST = (RunState.APPLIED, RunState.PLANNED, RunState.HELD, RunState.FAILED)


class SyncRoster:
    """Brings sections up to what their platforms tell."""

    def __init__(
        self,
        *,
        database: Database,
        source: MemberSource,
        records: Records,
        courses: Courses,
        changes: Changes,
        intake: Intake,
        open_run: OpenRun,
        follow: Follow,
        clock: Clock,
    ) -> None:
        self._database = database
        self._source = source
        self._records = records
        self._courses = courses
        self._changes = changes
        self._intake = intake
        self._open_run = open_run
        self._follow = follow
        self._clock = clock

    def __call__(self, district: District, *, section_id: SectionId | None = None, dry_run: bool = False) -> Outcome:
        """Sync every section of the district's LMSs that can be read, or one.

        Everything is read before anything is written. A section that cannot be read is left as it is, and named.

        Raises:
            NoContract: nothing may be collected.
            NotFound: the district has no LMS that may be read.
            Conflict: another sync held the lease for a minute.
        """
        outcome = Outcome()
        with self._lease(district):
            with self._database.tenant(district.id) as connection:
                self._contract(connection, district)
                self._follow(connection, district)
                wanted = self._records.readable(connection, section_id)
                platforms = grants.in_force(connection, "lti", Use.ROSTER)
            if not platforms:
                raise NotFound("This district has no LMS in force. `lti-server platform add` registers one.")
            for grant_id in platforms:
                mine = [one for one in wanted if one.grant_id == grant_id]
                if mine or section_id is None:
                    outcome.add(self._sync(district, grant_id, mine, dry_run=dry_run))
        return outcome

    def _sync(
        self, district: District, grant_id: GrantId, sections: Sequence[ReadableSection], *, dry_run: bool
    ) -> Outcome:
        """One platform's run; its record is written however it ends."""
        run_id = RunId(new_id())
        outcome = Outcome(run_ids=[run_id])
        with self._database.tenant(district.id) as connection:
            platform = self._source.platform(connection, grant_id)
            self._records.begin_run(connection, district.id, run_id, grant_id, self._clock.now())
            self._open_run(connection, run_id)
        try:
            read = self._read(district, sections, outcome)
            if outcome.state is not RunState.FAILED:
                self._settle(district, platform, read, outcome, dry_run=dry_run)
        except LtiServerError as error:
            self._fail(district, outcome, error.detail)
        except Exception as error:
            self._fail(district, outcome, f"A fault of this program ({type(error).__name__}); nothing was changed.")
            raise
        else:
            if outcome.state is RunState.FAILED:
                self._fail(district, outcome, outcome.detail)
        return outcome

    def _read(
        self, district: District, sections: Sequence[ReadableSection], outcome: Outcome
    ) -> list[tuple[ReadableSection, list[RosterPage]]]:
        """Every page of every section that answers, in memory; no transaction is open meanwhile."""
        read = []
        for section in sections:
            try:
                read.append((section, self._source.read(district, section)))
            except LtiServerError as error:
                outcome.holds.append(Hold(rule="unreadable", scope=str(section.id), detail=error.detail))
        if sections and not read:
            outcome.state, outcome.detail = RunState.FAILED, outcome.holds[0].detail
        return read

    def _settle(
        self,
        district: District,
        platform: Platform,
        read: list[tuple[ReadableSection, list[RosterPage]]],
        outcome: Outcome,
        *,
        dry_run: bool,
    ) -> None:
        """Gate, plan, holds, changes and the run's record: one transaction, under the grant that was there before."""
        with self._database.tenant(district.id) as connection:
            # Planned aside, so that a failure leaves no figures of what was rolled back.
            done = Outcome(run_ids=list(outcome.run_ids), holds=list(outcome.holds))
            if self._source.platform(connection, platform.grant_id).epoch != platform.epoch:
                raise GrantRevoked("The connection was withdrawn while members were read; nothing was kept.")
            run = Run(
                id=done.run_ids[0], district=district, grant_id=platform.grant_id, epoch=platform.epoch,
                at=self._clock.now(), writes=not dry_run,
            )  # fmt: skip
            elements = self._change(connection, run, platform, read, done)
            done.state = RunState.PLANNED if dry_run else RunState.HELD if done.holds else RunState.APPLIED
            self._record(connection, district, done, elements)
            grants.fence(connection, platform.grant_id, platform.epoch, Use.ROSTER)
        outcome.state, outcome.counts, outcome.holds, outcome.refused = (
            done.state, done.counts, done.holds, done.refused,
        )  # fmt: skip

    def _change(
        self,
        connection: Connection,
        run: Run,
        platform: Platform,
        read: Sequence[tuple[ReadableSection, list[RosterPage]]],
        done: Outcome,
    ) -> set[str]:
        """Plan the courses, and change those that nothing holds. Gives back the elements that were collected."""
        contract_id = self._contract(connection, run.district)
        subject_of = partial(_subject, platform)
        split = [(course, pages, *self._courses.parts(connection, run, course, pages)) for course, pages in read]
        heard = self._taken_in(connection, run, platform, split, done)
        gone = {course.id: left(pages) for course, pages in read}
        names = heard.keys() | {name for some in gone.values() for name in some or ()}
        known = self._changes.known(connection, run, [subject_of(name) for name in names])
        pairs = [(one, known.get(subject_of(one.source_id))) for one in heard.values()]
        told, done.refused = admit(pairs, partial(self._intake, connection, contract_id, run.district.id))
        courses = [
            Course(
                section_id=course.id, classes=_classes(parts, told, heard), new_sections=new, left=gone[course.id],
                launched_teachers_stay=platform.launched_teachers_stay,
            )
            for course, _, parts, new in split
        ]  # fmt: skip
        by_subject = {subject_of(one.source_id): one for one in told}
        counts, held = self._changes.bring_up(connection, run, courses, by_subject, known)
        done.counts.add(counts)
        done.holds += held
        self._note_reads(connection, run, read, held)
        return {element for one in told for element in one.kept.elements}

    def _taken_in(
        self,
        connection: Connection,
        run: Run,
        platform: Platform,
        split: Sequence[tuple[ReadableSection, list[RosterPage], list[Part], int]],
        done: Outcome,
    ) -> dict[str, Heard]:
        """Everyone who is told of, but for those of whom nothing may be collected: they are as if not told of."""
        heard = hear((part.section_id, part.pages) for _, _, parts, _ in split for part in parts)
        keys = run.district.keys
        told = {name: (subject_hash(keys, _subject(platform, name)), one.said) for name, one in heard.items()}
        blocked = self._intake.blocked(connection, keys, told)
        done.blocked = len(blocked)
        return {name: one for name, one in heard.items() if name not in blocked}

    def _note_reads(
        self,
        connection: Connection,
        run: Run,
        read: Sequence[tuple[ReadableSection, list[RosterPage]]],
        held: Sequence[Hold],
    ) -> None:
        """Where changes wait, what was told before still holds: the next read is told of them again."""
        if not run.writes:
            return
        waits = {one.scope for one in held}
        for course, pages in read:
            if str(course.id) not in waits:
                self._courses.note_read(connection, course, pages, run.at)

    def _record(self, connection: Connection, district: District, done: Outcome, elements: set[str]) -> None:
        """The run's record and the log's entry (law 12): counts and names of fields, never a value."""
        now = self._clock.now()
        self._records.finish_run(
            connection, done.run_ids[0], done.state, counts=done.counts, holds=done.holds, refused=done.refused,
            detail=done.detail, now=now,
        )  # fmt: skip
        entry = log.entry(
            district.keys,
            at=now,
            actor=f"run:{done.run_ids[0]}",
            act="roster sync",
            decision="allowed",
            purpose="instruction",
            object_id=done.run_ids[0],
            elements=sorted(elements),
            population=f"run:{done.run_ids[0]}",
            interest=log.Interest.SERVICE,
            payload={
                "state": done.state.value,
                "refused": done.refused,
                "blocked": done.blocked,
                "counts": done.counts.plain(),
            },
        )
        log.record(connection, entry)

    def _fail(self, district: District, outcome: Outcome, detail: str | None) -> None:
        outcome.state, outcome.detail = RunState.FAILED, detail
        with self._database.tenant(district.id) as connection:
            self._record(connection, district, outcome, set())

    def _contract(self, connection: Connection, district: District) -> Any:
        found = in_force(connection, district.zone, self._clock.now())
        if found is None:
            raise NoContract("The district has no contract in force, so no member may be read.")
        return found

    @contextmanager
    def _lease(self, district: District) -> Iterator[None]:
        """One sync a district at a time; the lease ends with the connection, and so with a process that dies."""
        connection = connect(self._database.url, role=self._database.role, autocommit=True)
        try:
            connection.execute(f"SET lock_timeout = '{LEASE_WAIT}'")
            try:
                connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 1))", [f"roster|{district.id}"])
            except psycopg.errors.LockNotAvailable as error:
                raise Conflict("Another sync of this district is under way. Try again when it has ended.") from error
            yield
        finally:
            connection.close()


def _classes(parts: Sequence[Part], told: Sequence[Told], heard: Mapping[str, Heard]) -> tuple[Class, ...]:
    return tuple(Class.of(one.section_id, told, heard.values(), told=bool(one.pages)) for one in parts)


def _subject(platform: Platform, source_id: str) -> Subject:
    """As a launch names the same person, so that whoever launches later is who was read."""
    return Subject(provider="lti", issuer=platform.issuer, client_id=platform.client_id, subject=source_id)
