"""What people may ask for, joined once: every feature that keeps data about them, exports and erasures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.accounts.blocks import Blocks
from lti_server.accounts.candidates import Candidates
from lti_server.accounts.corrections import Correct
from lti_server.accounts.email_data import EmailData
from lti_server.accounts.linking import expire_intents
from lti_server.accounts.linking_data import LinkingData
from lti_server.accounts.merged_people import PeopleMerge
from lti_server.accounts.merging import Merge, Part, one_person
from lti_server.accounts.own_door import OwnDoor
from lti_server.accounts.personal_data import PeopleData, SessionsData, end_sessions, subject_of
from lti_server.accounts.shared_id import SharedIds
from lti_server.accounts.staff_access import StaffAccess
from lti_server.accounts.way_states import WayStates
from lti_server.db import Database
from lti_server.ids import Clock, DistrictId, PersonId
from lti_server.lessons.personal_data import CATALOGUE_DATA
from lti_server.lti.grades import DeliverGrade
from lti_server.lti.personal_data import LTI_DATA
from lti_server.mail import Mail
from lti_server.privacy.announcing import Announce
from lti_server.privacy.contracts import Policies, versions
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.disposition import Dispose
from lti_server.privacy.districts import District
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.erasure import Erase
from lti_server.privacy.guardian_requests import GuardianRequests, due_on
from lti_server.privacy.journal import Journal
from lti_server.privacy.model import Limit
from lti_server.privacy.own_requests import OwnRequests
from lti_server.privacy.participants import Holder
from lti_server.privacy.personal_data import LogData
from lti_server.privacy.rights import Rights
from lti_server.privacy.server_data import SERVER_DATA
from lti_server.progress.merged import ProgressMerge
from lti_server.progress.outbox import Outbox
from lti_server.progress.personal_data import ProgressData, cancel_jobs
from lti_server.providers.manifest import Capability
from lti_server.providers.registry import Registry
from lti_server.roster.disposal import KeptByGrants
from lti_server.roster.merged import RosterMerge
from lti_server.roster.personal_data import RosterData, end_stays, stays
from lti_server.settings import Settings

# A new feature that keeps data about people is named here. In this order they erase: what points at a person, or at a
# membership, goes before it.
LOG_DATA = LogData(stays)
HOLDERS: Sequence[Holder] = (
    ProgressData(),
    SessionsData(),
    RosterData(),
    LTI_DATA,
    CATALOGUE_DATA,
    SERVER_DATA,
    LOG_DATA,
    LinkingData(),
    EmailData(),
    PeopleData(),
)
# What is undone in the opposite order: whose class it was says whose attempt it is.
MERGES: Sequence[Part] = (PeopleMerge(), ProgressMerge(), RosterMerge())


def _stop(connection: Connection, person_id: PersonId, at: datetime) -> None:
    """What is under way of somebody of whom nothing may be collected any more."""
    end_sessions(connection, person_id)
    end_stays(connection, person_id, at)


@dataclass(frozen=True)
class GradesOnTheirWay:
    """The outbox, and whoever sends what is in it."""

    outbox: Outbox
    deliver: Callable[[], DeliverGrade]

    def withdraw(self, connection: Connection, district_id: DistrictId, person_id: PersonId) -> int:
        cancel_jobs(connection, person_id)
        return self.outbox.withdraw(connection, district_id, person_id)

    def waiting(self, connection: Connection, person_id: PersonId) -> Sequence[UUID]:
        return self.outbox.waiting(connection, person_id)

    def send(self, district_id: DistrictId, delivery_id: UUID) -> None:
        self.deliver()(str(district_id), str(delivery_id))


class Parts(Protocol):
    """What the house has."""

    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ring(self) -> KeyRing: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def document_keys(self) -> DocumentKeys: ...
    @property
    def policies(self) -> Policies: ...
    @property
    def doors(self) -> DoorKeys: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def mail(self) -> Mail: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def registry(self) -> Registry: ...
    def deliver_grade(self) -> DeliverGrade: ...
    def entered(self, connection: Connection) -> District: ...


@dataclass(frozen=True)
class RightsParts:
    """Built by the house from what it has."""

    of: Parts

    @cached_property
    def rights(self) -> Rights:
        of = self.of
        return Rights(
            database=of.database, district=of.entered, holders=HOLDERS, subject_of=subject_of, one_person=one_person,
            clock=of.clock,
        )  # fmt: skip

    @cached_property
    def merge(self) -> Merge:
        of = self.of
        return Merge(database=of.database, district=of.entered, parts=MERGES, journal=of.journal, clock=of.clock)

    @cached_property
    def candidates(self) -> Candidates:
        of = self.of
        return Candidates(database=of.database, district=of.entered, merge=self.merge, clock=of.clock)

    @cached_property
    def shared_ids(self) -> SharedIds:
        return SharedIds(self.merge)

    @cached_property
    def erase(self) -> Erase:
        of = self.of
        return Erase(
            database=of.database, district=of.entered, holders=HOLDERS, subject_of=subject_of, one_person=one_person,
            grades=GradesOnTheirWay(of.outbox, of.deliver_grade), journal=of.journal, document_keys=of.document_keys,
            clock=of.clock,
        )  # fmt: skip

    @cached_property
    def way_states(self) -> WayStates:
        return WayStates(self.of.database, lambda: self.of.journal)

    @cached_property
    def blocks(self) -> Blocks:
        of = self.of
        return Blocks(database=of.database, district=of.entered, stops=_stop, journal=of.journal, clock=of.clock)

    @cached_property
    def correct(self) -> Correct:
        of = self.of
        return Correct(
            database=of.database, district=of.entered, policies=of.policies, journal=of.journal,
            adults_only=self._adults_only, clock=of.clock,
        )  # fmt: skip

    def _adults_only(self) -> Collection[str]:
        running = self.of.registry.enabled(Capability.LOGIN)
        return [one.name for one in running if one.manifest is not None and one.manifest.adults_only]

    @cached_property
    def access(self) -> StaffAccess:
        return StaffAccess(database=self.of.database, district=self.of.entered, clock=self.of.clock)

    @cached_property
    def announce(self) -> Announce:
        of = self.of
        return Announce(of.database, of.mail.send, of.journal, of.clock, of.settings.base_url)

    @cached_property
    def requests(self) -> GuardianRequests:
        of = self.of
        return GuardianRequests(
            database=of.database,
            doors=of.doors,
            district=of.entered,
            policies=of.policies,
            journal=of.journal,
            clock=of.clock,
        )

    @cached_property
    def own_requests(self) -> OwnRequests:
        of = self.of
        return OwnRequests(
            database=of.database, district=of.entered, subject_of=subject_of,
            due_on=lambda connection, district, now: due_on(connection, of.policies, district, now),
            journal=of.journal, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def own_door(self) -> OwnDoor:
        return OwnDoor(database=self.of.database, ring=self.of.ring, clock=self.of.clock)

    @cached_property
    def kept(self) -> KeptByGrants:
        return KeptByGrants()

    @cached_property
    def dispose(self) -> Dispose:
        of = self.of
        return Dispose(
            database=of.database, district=of.entered, limit_of=self._disposition_days, kept=self.kept,
            erase=lambda district_id, person_id, by: self.erase(district_id, person_id, by=by, keeps_grades=True),
            document_keys=of.document_keys, journal=of.journal, clock=of.clock, backup_days=of.settings.backup_days,
        )  # fmt: skip

    def _disposition_days(self, connection: Connection, district: District) -> Limit | None:
        """Of the newest contract that has begun: one that has ended still says how long what it allowed may stay."""
        signed = versions(connection, district.zone, self.of.clock.now())
        newest = next((one for one in signed if one.state in ("in_force", "expired")), None)
        return None if newest is None else self.of.policies.of(connection, newest.id).limits.get("disposition_days")

    def resume(self, district_id: DistrictId) -> None:
        """Go on with erasures that a crash has left, dispose of what is due, and wipe requests that are too old."""
        self.dispose.run_due(district_id)
        with self.of.database.tenant(district_id) as connection:
            left = self.erase.resume_all(connection, district_id)
            self.requests.expire(connection)
            self.own_requests.expire(connection)
            self.merge.expire(connection)
            self.shared_ids.sweep(connection)
            expire_intents(connection, self.of.clock.now())
        for person_id in left:
            self.erase.finish(district_id, person_id)
