"""Reading rosters: everything first, then the plan, then holds or one transaction (design 4, walk 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.intake import Intake
from lti_server.accounts.model import Kind, Known, Subject
from lti_server.accounts.store import Source
from lti_server.db import Database, connect
from lti_server.errors import Conflict, GrantRevoked, LtiServerError, NoContract
from lti_server.ids import Clock, GrantId, RunId, SectionId, new_id
from lti_server.privacy.contracts import in_force
from lti_server.privacy.districts import District
from lti_server.providers.records import RosterPage, SourcePerson
from lti_server.roster import store
from lti_server.roster.model import Counts, Hold, RunState, Told
from lti_server.roster.reconcile import Plan, holds, plan
from lti_server.roster.store import ReadableSection

LEASE_WAIT = "60s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Whose members these are: the key of every identity, and the grant that lets them be read."""

    grant_id: GrantId
    epoch: int
    issuer: str
    client_id: str


class MemberSource(Protocol):
    """Where a section's members are read."""

    def platform(self, connection: Connection, grant_id: GrantId) -> Platform:
        """Raises GrantRevoked where the grant is not in force."""
        ...

    def read(self, district: District, section: ReadableSection) -> list[RosterPage]:
        """Every page of one section, or an error of ours: never a part."""
        ...


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    run_ids: list[RunId] = field(default_factory=list)
    state: RunState = RunState.APPLIED
    counts: Counts = field(default_factory=Counts)
    holds: list[Hold] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    detail: str | None = None

    def plain(self) -> dict[str, Any]:
        return {
            "run_id": str(self.run_ids[0]) if self.run_ids else None,
            "state": self.state.value,
            "counts": self.counts.plain(),
            "holds": [{"rule": one.rule, "scope": one.scope, "detail": one.detail} for one in self.holds],
            "refused_fields": dict(self.refused),
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    section: ReadableSection
    told: dict[bytes, Told]


class SyncRoster:
    """Brings sections up to what their platforms tell."""

    def __init__(self, *, database: Database, source: MemberSource, intake: Intake, clock: Clock) -> None:
        self._database = database
        self._source = source
        self._intake = intake
        self._clock = clock

    def __call__(self, district: District, *, section_id: SectionId | None = None, dry_run: bool = False) -> Outcome:
        """Sync every section of the district's LMSs that can be read, or one.

        Everything is read before anything is written. A section that cannot be read is left as it is, and named.

        Raises:
            NoContract: nothing may be collected.
            Conflict: another sync held the lease for a minute.
        """
        outcome = Outcome()
        with self._lease(district):
            with self._database.tenant(district.id) as connection:
                if in_force(connection, district.zone, self._clock.now()) is None:
                    raise NoContract("The district has no contract in force, so no member may be read.")
                wanted = store.readable(connection, section_id)
            for grant_id in dict.fromkeys(one.grant_id for one in wanted):
                mine = [one for one in wanted if one.grant_id == grant_id]
                self._sync(district, grant_id, mine, outcome, dry_run=dry_run)
        return outcome

    def _sync(
        self, district: District, grant_id: GrantId, sections: list[ReadableSection], outcome: Outcome, *, dry_run: bool
    ) -> None:
        run_id = RunId(new_id())
        outcome.run_ids.append(run_id)
        with self._database.tenant(district.id) as connection:
            store.begin_run(connection, district.id, run_id, grant_id, self._clock.now())
            platform = self._source.platform(connection, grant_id)
        counts, found_holds, refused = Counts(), list[Hold](), dict[str, int]()
        state, detail = RunState.APPLIED, None
        try:
            reads = [
                read
                for section in sections
                if (read := self._read(district, platform, section, found_holds, refused)) is not None
            ]
            if sections and not reads:
                state, detail = RunState.FAILED, found_holds[0].detail
            elif dry_run:
                state = RunState.PLANNED
            if reads:
                self._apply(district, platform, run_id, reads, counts, found_holds, write=not dry_run)
            if state is RunState.APPLIED and found_holds:
                state = RunState.HELD
        except LtiServerError as error:
            state, detail = RunState.FAILED, error.detail
        with self._database.tenant(district.id) as connection:
            store.finish_run(
                connection, run_id, state, counts=counts, holds=found_holds, refused=refused, detail=detail,
                now=self._clock.now(),
            )  # fmt: skip
        _merge(outcome, state, counts, found_holds, refused, detail)

    def _read(
        self,
        district: District,
        platform: Platform,
        section: ReadableSection,
        found_holds: list[Hold],
        refused: dict[str, int],
    ) -> _Read | None:
        """Read a section whole and pass every member through the gate; nothing is written here (law 2)."""
        try:
            pages = self._source.read(district, section)
        except LtiServerError as error:
            found_holds.append(Hold(rule="unreadable", scope=str(section.id), detail=error.detail))
            return None
        told: dict[bytes, Told] = {}
        with self._database.tenant(district.id) as connection:
            contract_id = in_force(connection, district.zone, self._clock.now())
            if contract_id is None:
                raise NoContract("The contract ended while members were read; nothing was kept.")
            for person, role in _people(pages):
                kind = Kind.STAFF if role == "teacher" else Kind.PUPIL
                kept = self._intake(connection, contract_id, district.id, kind, _said(person))
                for name, count in kept.refused.items():
                    refused[name] = refused.get(name, 0) + count
                subject = Subject(
                    provider="lti", issuer=platform.issuer, client_id=platform.client_id, subject=person.source_id
                )
                key = people.subject_hash(district.keys, subject)
                told[key] = Told(key=key, subject=subject, role=role, kind=kind, kept=kept)
        return _Read(section=section, told=told)

    def _apply(
        self,
        district: District,
        platform: Platform,
        run_id: RunId,
        reads: list[_Read],
        counts: Counts,
        found_holds: list[Hold],
        *,
        write: bool,
    ) -> None:
        """All sections of one platform in one transaction; the grant is read again in it (laws 3, 10)."""
        with self._database.tenant(district.id) as connection:
            now = self._source.platform(connection, platform.grant_id)
            if now.epoch != platform.epoch:
                raise GrantRevoked("The connection was withdrawn while members were read; nothing was kept.")
            source = Source(grant_id=platform.grant_id, epoch=platform.epoch, run_id=run_id, at=self._clock.now())
            for read in reads:
                counts.add(self._apply_section(connection, district, source, read, found_holds, write=write))

    def _apply_section(
        self,
        connection: Connection,
        district: District,
        source: Source,
        read: _Read,
        found_holds: list[Hold],
        *,
        write: bool,
    ) -> Counts:
        known = people.find(connection, list(read.told), source.grant_id)
        standing = store.live_members(connection, read.section.id, source.grant_id)
        found = plan(
            standing,
            {key: one.role for key, one in read.told.items()},
            {key: one.person_id for key, one in known.items()},
        )
        waits = holds(found, standing, len(read.told), str(read.section.id))
        changes = {
            key: people.changed_fields(district.keys, known[key], source.grant_id, one.kept.fields)[0]
            for key, one in read.told.items()
            if key in known
        }
        counts = _counts(read.told, known, changes, found)
        if waits:
            found_holds += waits
            return Counts()
        if write:
            self._write(connection, district, source, read, known, changes, found)
        return counts

    def _write(
        self,
        connection: Connection,
        district: District,
        source: Source,
        read: _Read,
        known: dict[bytes, Known],
        changes: Mapping[bytes, list[Any]],
        found: Plan,
    ) -> None:
        new = [one for key, one in read.told.items() if key not in known]
        made = people.create_many(
            connection, district.keys, [(one.subject, one.kind, one.kept.keep_subject) for one in new], source
        )
        everyone = {**known, **{one.key: person for one, person in zip(new, made, strict=True)}}
        fields = [(person, one.kept.fields) for one, person in zip(new, made, strict=True)]
        living = [(everyone[key], found) for key, found in changes.items() if everyone[key].wrapped_key is not None]
        people.write_many(connection, district.keys, [*fields, *living], source)
        assert source.run_id is not None
        ended = [one.id for one in (*found.ends, *found.swaps.values())]
        store.end(connection, ended, source.run_id, source.at)
        begun = {**found.starts, **{key: read.told[key].role for key in found.swaps}}
        who = [(everyone[key].person_id, role) for key, role in begun.items()]
        store.start(connection, district.id, read.section.id, source, who)

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


def _people(pages: list[RosterPage]) -> Iterator[tuple[SourcePerson, str]]:
    """Everyone with a live membership, and their role in the section."""
    persons = {person.source_id: person for page in pages for person in page.people}
    for page in pages:
        for membership in page.memberships:
            person = persons.get(membership.person_source_id)
            if membership.active and person is not None:
                yield person, membership.role.value


def _said(person: SourcePerson) -> dict[str, object]:
    """What the source says of a person, for the gate; `extra` stands there under the source's own names."""
    said = person.present()
    said.pop("extra", None)
    return {**said, **person.extra, "user_id": person.source_id}


def _counts(
    told: Mapping[bytes, Told], known: Mapping[bytes, Known], changes: Mapping[bytes, list[Any]], found: Plan
) -> Counts:
    counts = Counts()
    counts.people.added = len(told) - len(known)
    counts.people.changed = sum(bool(fields) for fields in changes.values())
    counts.people.unchanged = len(known) - counts.people.changed
    counts.sections.unchanged = 1
    counts.memberships.added = len(found.starts)
    counts.memberships.changed = len(found.swaps)
    counts.memberships.removed = len(found.ends)
    counts.memberships.unchanged = found.unchanged
    return counts


_WORST = (RunState.APPLIED, RunState.PLANNED, RunState.HELD, RunState.FAILED)


def _merge(
    outcome: Outcome,
    state: RunState,
    counts: Counts,
    found_holds: list[Hold],
    refused: Mapping[str, int],
    detail: str | None,
) -> None:
    outcome.state = max(outcome.state, state, key=_WORST.index)
    outcome.counts.add(counts)
    outcome.holds += found_holds
    outcome.detail = outcome.detail or detail
    for name, count in refused.items():
        outcome.refused[name] = outcome.refused.get(name, 0) + count
