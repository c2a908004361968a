"""What every process of this server has: the concrete parts, joined once, after any fork."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server import mail
from lti_server.accounts.intake import ContractIntake
from lti_server.accounts.invitations import Invitations
from lti_server.accounts.provider_connections import WRAPPED as APPLICATIONS
from lti_server.accounts.retention import KeptFields
from lti_server.db import Database, Door, application_role, database_name, open_door
from lti_server.errors import NoContract, NotFound
from lti_server.grant_parts import GrantParts
from lti_server.ids import Clock, DistrictId, RunId, SectionId, SystemClock
from lti_server.lesson_parts import LessonsAtLaunch, Shelf, column_of
from lti_server.lessons import catalogue as lesson_catalogue
from lti_server.lessons.catalogue import Catalogue
from lti_server.lessons.handoff import HandOff
from lti_server.lti import deep_linking, keys, notice_handlers, notices
from lti_server.lti.claims import DATA_PRIVACY_REQUESTS, RESOURCE_LINK_REQUEST
from lti_server.lti.data_privacy import KeptData, OpenDataPrivacy, ReaderTokens
from lti_server.lti.deployments import Deployments
from lti_server.lti.grade_columns import GradeColumns
from lti_server.lti.grade_service import grade_services
from lti_server.lti.grades import DeliverGrade
from lti_server.lti.inspector import Inspector
from lti_server.lti.key_sets import read_key_set
from lti_server.lti.keys import ToolKeys
from lti_server.lti.launches import OpenLaunch
from lti_server.lti.member_source import LtiMembers
from lti_server.lti.messages import TakeMessage
from lti_server.lti.notice_handlers import NoticeHandlers
from lti_server.lti.notices import HandleNotice, TakeNotices
from lti_server.lti.picker import OpenPicker, Picker
from lti_server.lti.platform_keys import PlatformKeys
from lti_server.lti.registration_invitations import RegistrationInvitations
from lti_server.lti.registrations import Registrations
from lti_server.lti.repeated_launches import RepeatedLaunches
from lti_server.lti.tokens import ServiceTokens
from lti_server.lti.tool_description import Tool
from lti_server.mail import Mail, SendMail
from lti_server.privacy import districts
from lti_server.privacy.audit import Audit
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.districts import District
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.journal import Journal
from lti_server.privacy.retention import Retain
from lti_server.privacy.rewrap import WRAPPED, Rewrap
from lti_server.progress import outbox
from lti_server.progress import store as progress_store
from lti_server.progress.outbox import Outbox
from lti_server.progress.retention import KeptProgress
from lti_server.progress.service import Progress
from lti_server.progress.sites import LessonSites
from lti_server.providers.addresses import AddressGuard
from lti_server.providers.connections import OutboundLimits
from lti_server.providers.connector import Connector
from lti_server.providers.errors import BrokeContract
from lti_server.providers.registry import Registry, load_registry
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.rights_parts import RightsParts
from lti_server.roster import apply, courses, store
from lti_server.roster.service import SyncRoster
from lti_server.settings import Settings
from lti_server.tasks import Handler, Queue, Sweep

SYNC_SECTION = "roster.sync_section"
REGISTRATION_LIMITS = OutboundLimits(total_s=12.0, body_bytes=512 * 1024)
SPENT = (
    "spent_nonce", "lesson_token", "session", "service_token", "invitation", "platform_invitation",
    "deep_link_request", "provider_signal", "notice", "staff_access", "email_code", "signal_receipt",
)  # fmt: skip


@dataclass(frozen=True)
class House:
    """What every process has: built once, after any fork. Nothing is opened before it is asked for."""

    settings: Settings
    database: Database
    clock: Clock

    @cached_property
    def ring(self) -> KeyRing:
        return KeyRing.from_secrets(self.settings.secret_keys)

    @cached_property
    def doors(self) -> DoorKeys:
        with self.database.anyone() as connection:
            return DoorKeys(districts.directory_key(connection, self.ring, self.clock.now()))

    @cached_property
    def policies(self) -> Policies:
        return Policies()

    @cached_property
    def retain(self) -> Retain:
        """The purge of what is past its time, in every feature that keeps something."""
        return Retain((KeptFields(self.entered), KeptProgress()), self.policies, self.grants.populations, self.clock)

    @cached_property
    def queue(self) -> Queue:
        return Queue()

    @cached_property
    def registry(self) -> Registry:
        return load_registry(self.settings.providers)

    @cached_property
    def catalogue(self) -> Catalogue:
        return lesson_catalogue.from_settings(
            lesson_catalogue.stored_in(self.database),
            self.settings.lessons_file,
            https_only_except=self.settings.insecure_hosts,
        )

    @cached_property
    def transport(self) -> HttpTransport:
        return HttpTransport(outbound_session(insecure_hosts=self.settings.insecure_hosts), self.clock)

    @cached_property
    def tool_keys(self) -> ToolKeys:
        return ToolKeys(self.database, self.ring, self.clock)

    @cached_property
    def document_keys(self) -> DocumentKeys:
        return DocumentKeys(self.database, self.ring, self.clock, issuer=self.settings.base_url)

    @cached_property
    def journal(self) -> Journal:
        return Journal.within(self.settings.data_dir)

    @cached_property
    def rewrap(self) -> Rewrap:
        return Rewrap(self.database, self.ring, (*WRAPPED, keys.WRAPPED, APPLICATIONS))

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.database, self.clock, self.document_keys)

    @cached_property
    def registrations(self) -> Registrations:
        return Registrations(
            self.database, self.doors, self.clock, self._safe_address,
            withdraw=self.grants.withdraw_platform, readdressed=self.grants.readdressed,
        )  # fmt: skip

    def _safe_address(self, url: str) -> None:
        guard = AddressGuard(insecure_hosts=frozenset(host.lower() for host in self.settings.insecure_hosts))
        try:
            guard.check_url(url)
        except BrokeContract as error:
            raise ValueError(error.detail) from error

    @cached_property
    def registration_invitations(self) -> RegistrationInvitations:
        return RegistrationInvitations(
            database=self.database, ring=self.ring, registrations=self.registrations,
            transport=lambda: self._registration_transport, tool=Tool(self.settings.base_url),
            check_url=self._safe_address, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def _registration_transport(self) -> HttpTransport:
        """Somebody waits before the page, and a configuration is small."""
        session = outbound_session(insecure_hosts=self.settings.insecure_hosts, limits=REGISTRATION_LIMITS)
        return HttpTransport(session, self.clock)

    @cached_property
    def handoff(self) -> HandOff:
        return HandOff(self.database, self.clock)

    @cached_property
    def invitations(self) -> Invitations:
        return Invitations(self.database, self.clock, self.entered)

    @cached_property
    def intake(self) -> ContractIntake:
        return ContractIntake("lti", self.policies, self.clock)

    def take_message(self) -> TakeMessage:
        """The way in for launches, with a handler for each message type."""
        open_launch = OpenLaunch(
            intake=self.intake, policies=self.policies, lessons=LessonsAtLaunch(self.catalogue),
            after_teacher=self.read_soon, notices_offered=self.notice_handlers.after_launch,
            same_person=self.rights.shared_ids, base_url=self.settings.base_url,
        )  # fmt: skip
        repeated = RepeatedLaunches(database=self.database, ring=self.ring, open_launch=open_launch, clock=self.clock)
        return TakeMessage(
            database=self.database,
            ring=self.ring,
            doors=self.doors,
            platform_keys=PlatformKeys(self.database, self._key_source, self.clock),
            handlers={
                RESOURCE_LINK_REQUEST: open_launch,
                **dict.fromkeys(DATA_PRIVACY_REQUESTS, OpenDataPrivacy(self.privacy_tokens, self.settings.base_url)),
                deep_linking.REQUEST: OpenPicker(self.policies, self._safe_address, self.settings.base_url),
            },
            repeated=repeated,
            clock=self.clock,
        )

    @cached_property
    def privacy_tokens(self) -> ReaderTokens:
        return ReaderTokens(self.ring, self.clock)

    def kept_data(self) -> KeptData:
        """What a district's contract lets be kept, for the page of a data privacy launch."""
        return KeptData(self.database, self.entered, self.clock)

    @cached_property
    def notice_handlers(self) -> NoticeHandlers:
        return NoticeHandlers(
            database=self.database, doors=self.doors, transport=self.grants.to_platform,
            tokens=lambda: self.service_tokens, tool_keys=self.tool_keys, queue=self.queue, district=self.entered,
            handler=f"{self.settings.base_url}/lti/notices", clock=self.clock,
        )  # fmt: skip

    def take_notices(self) -> TakeNotices:
        """The way in for notices."""
        keys = PlatformKeys(self.database, self._key_source, self.clock, timeout_s=notices.FETCH_TIMEOUT_S)
        return TakeNotices(
            database=self.database, ring=self.ring, doors=self.doors, platform_keys=keys, queue=self.queue,
            clock=self.clock,
        )  # fmt: skip

    @cached_property
    def deployments(self) -> Deployments:
        return Deployments(self.database, self.doors)

    @cached_property
    def inspector(self) -> Inspector:
        return Inspector(self.database, self.ring, self.doors)

    def picker(self) -> Picker:
        """What a teacher does with a deep linking request."""
        return Picker(
            database=self.database, ring=self.ring, policies=self.policies, shelf=Shelf(self.catalogue),
            tool_keys=self.tool_keys, clock=self.clock, base_url=self.settings.base_url,
        )  # fmt: skip

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.queue, self._gradebook_allowed, self.clock)

    def progress(self) -> Progress:
        """What a lesson's token may do."""
        return Progress(
            database=self.database, sessions=self.handoff, lessons=self.catalogue, policies=self.policies,
            district=self.entered, outbox=self.outbox, store=progress_store,
            sites=LessonSites(lambda: self.grants.disclose), clock=self.clock,
        )  # fmt: skip

    def district_name(self, district_id: DistrictId) -> str:
        """What a signed-in person's district is called."""
        with self.database.tenant(district_id) as connection:
            return self.entered(connection).name

    def entered(self, connection: Connection) -> District:
        """The district that a transaction has entered."""
        return districts.current(connection, self.ring)

    @cached_property
    def service_tokens(self) -> ServiceTokens:
        return ServiceTokens(
            self.database, self.grants.to_platform, self.tool_keys, self.clock, suspect=self.grants.suspect
        )

    @cached_property
    def grants(self) -> GrantParts:
        return GrantParts(
            database=self.database, entered=self.entered, policies=self.policies, transport=self.transport,
            ring=self.ring,
            connector=self.connector, doors=lambda: self.doors, registry=lambda: self.registry, tasks=self.queue,
            clock=self.clock, mail=lambda: self.mail, journal=lambda: self.journal, base_url=self.settings.base_url,
        )  # fmt: skip

    @cached_property
    def rights(self) -> RightsParts:
        return RightsParts(self)

    @cached_property
    def mail(self) -> Mail:
        return Mail(self.ring, self.queue, self.clock)

    def send_mail(self) -> SendMail:
        """The sender of mail with its parts."""
        settings = self.settings
        return SendMail(self.database, self.ring, self.clock, smtp_url=settings.smtp_url, mail_from=settings.mail_from)

    def deliver_grade(self) -> DeliverGrade:
        """The sender of grades with its parts."""
        return DeliverGrade(
            database=self.database, columns=self.grade_columns(),
            outbox=self.outbox, district=self.entered, disclose=self.grants.disclose, clock=self.clock,
        )  # fmt: skip

    def grade_columns(self) -> GradeColumns:
        services = grade_services(self.grants.to_platform, self.service_tokens)
        return GradeColumns(self.database, column_of(self.catalogue), services)

    @cached_property
    def connector(self) -> Connector:
        return Connector(self.registry, transport=self.transport.limited_to, clock=self.clock)

    def sync_roster(self) -> SyncRoster:
        """The reader of LTI courses with its parts."""
        source = LtiMembers(
            database=self.database,
            connector=self.connector,
            fence=self.grants.fence,
            tokens=self.service_tokens,
            district=self.entered,
            clock=self.clock,
        )
        return SyncRoster(
            database=self.database, source=source, records=store, courses=courses,
            changes=apply, intake=self.intake,
            open_run=self._open_run, follow=self.grants.follow, clock=self.clock,
        )  # fmt: skip

    def _open_run(self, connection: Connection, run_id: RunId) -> None:
        open_door(connection, Door.RUN, self.doors.of(Door.RUN, str(run_id)), run_id)

    def _sync_section(self, district_id: str, section_id: str) -> None:
        with self.database.tenant(DistrictId(UUID(district_id))) as connection:
            district = self.entered(connection)
        with suppress(NoContract, NotFound):  # nothing may be read any more, and trying again changes nothing
            self.sync_roster()(district, section_id=SectionId(UUID(section_id)))

    def handlers(self) -> dict[str, Handler]:
        """What the worker runs, by task name."""
        return {
            outbox.TASK: self.deliver_grade().__call__,
            SYNC_SECTION: self._sync_section,
            mail.TASK: self.send_mail().__call__,
            **self.grants.handlers(),
            notice_handlers.TASK: self.notice_handlers.__call__,
            notices.TASK: HandleNotice(self.database, self.clock).__call__,
        }

    def _gradebook_allowed(self, connection: Connection, provider: str) -> bool:
        contract_id = in_force(connection, self.entered(connection).zone, self.clock.now())
        return contract_id is not None and self.policies.of(connection, contract_id).gradebook(provider)

    def sweep(self) -> None:
        """Take away what is spent, and try again what waits."""
        Sweep(self.database, self.clock, SPENT, self._resume)()
        self.tool_keys.retire()
        for district in districts.every(self.database, self.ring):
            with self.database.tenant(district.id) as connection:
                self.retain(connection, district)
            self.rights.resume(district.id)

    def _resume(self, connection: Connection, district_id: DistrictId | None) -> None:
        self.mail.resume(connection, district_id)
        if district_id is not None:
            self.grants.resume(connection, district_id)
        self.notice_handlers.resume(connection, district_id)

    def _key_source(self, url: str, timeout_s: float) -> Mapping[str, Any]:
        return read_key_set(url, timeout_s, insecure_hosts=self.settings.insecure_hosts, clock=self.clock)

    def read_soon(self, connection: Connection, district_id: DistrictId, section_id: SectionId) -> None:
        self.queue.defer(
            connection,
            SYNC_SECTION,
            lock=f"roster:{district_id}",
            queueing_lock=f"{SYNC_SECTION}:{section_id}",
            district_id=str(district_id),
            section_id=str(section_id),
        )


def build_house(settings: Settings, database_url: str, clock: Clock | None = None) -> House:
    """A house on a database that is there and migrated, under its application role."""
    role = application_role(database_name(database_url))
    return House(settings=settings, database=Database(database_url, role=role), clock=clock or SystemClock())
