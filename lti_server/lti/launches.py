"""A resource link launch: from verified claims to a session with a ticket (design 4, walk 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit

from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts import store as people
from lti_server.accounts.blocks import candidates
from lti_server.accounts.intake import Intake
from lti_server.accounts.model import Kept, Kind, Known, Subject
from lti_server.accounts.shared_id import SamePerson
from lti_server.errors import LaunchRejected
from lti_server.ids import ContractId, DistrictId, MembershipId, SectionId, SessionId, new_id
from lti_server.lti import course_copies, store
from lti_server.lti.claims import Launch, check_message, without_person
from lti_server.lti.course_copies import Origin
from lti_server.lti.course_sections import said_sections, section_source_id
from lti_server.lti.lesson_link import Wanted, completed, wanted, wanted_item
from lti_server.lti.messages import PURPOSE, Message
from lti_server.lti.notice_claims import NoticeService
from lti_server.lti.reach import must_be_within
from lti_server.lti.roles import Role, is_test_user, role_of
from lti_server.lti.state import AGAIN
from lti_server.lti.store import Arrival, Link, NoticesAsked, Standing
from lti_server.privacy import log
from lti_server.privacy.ages import earliest_day
from lti_server.privacy.contracts import Policies
from lti_server.privacy.crypto import new_token, token_hash
from lti_server.roster.arrival import CourseSaid, put_membership, put_section, sections_said

TICKET_LIFE = timedelta(seconds=60)
SESSION_LIFE = timedelta(hours=12)


class Lessons(Protocol):
    """What a launch asks of the catalogue."""

    def place(self, lesson_id: str, activity_id: str) -> LessonPlace | None:
        """Where a lesson is played, or None for a lesson or activity that does not exist."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonPlace:
    """`url` is None for a lesson of this server. A `no_pii` lesson takes no personal field at all (A-03)."""

    lesson_id: str
    activity_id: str
    url: str | None
    hosts: tuple[str, ...]
    no_pii: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is to be written to open a launch, a session and its log entry, and where the browser goes then.

    `ids` are the keyed hashes by which a block would know the person.
    """

    values: Mapping[str, object] = field(repr=False)
    address: str = field(repr=False)
    ids: Sequence[bytes] = ()


class AfterLaunch(Protocol):
    def __call__(self, connection: Connection, district_id: DistrictId, section_id: SectionId) -> None:
        """Work that follows a teacher's launch, deferred on the same transaction."""
        ...


class NoticesOffered(Protocol):
    def __call__(
        self, connection: Connection, standing: Standing, service: NoticeService | None, asked: NoticesAsked | None
    ) -> None:
        """Ask for the notices that a launch offers, on the same transaction, where that was not done yet."""
        ...


class OpenLaunch:
    """What a resource link launch asks for: its lesson, for this person, in this course."""

    def __init__(
        self,
        *,
        intake: Intake,
        policies: Policies,
        lessons: Lessons,
        after_teacher: AfterLaunch,
        notices_offered: NoticesOffered,
        same_person: SamePerson,
        base_url: str,
    ) -> None:
        self._intake = intake
        self._policies = policies
        self._lessons = lessons
        self._after_teacher = after_teacher
        self._notices_offered = notices_offered
        self._same_person = same_person
        self._base_url = base_url
        base = urlsplit(base_url)
        self._tool_origin, self._base_path = f"{base.scheme}://{base.netloc}", base.path

    def __call__(self, connection: Connection, message: Message) -> str:
        """Open the lesson of a resource link launch.

        Reads the personal claims of one person; keeps what the contract allows, encrypted; counts the rest.

        Raises:
            LaunchRejected: with a reason of docs/reference/launch-refusals.md.
        """
        standing = message.standing
        if standing.anonymous and "sub" not in message.claims:
            return self._anonymous(connection, message)
        launch = check_message(message.claims, client_id=standing.client_id, tool_origin=self._tool_origin)
        hashed = people.subject_hash(standing.keys, _subject(launch, standing))
        arrival = store.arrive(
            connection, standing, launch, nonce=message.nonce_hash, subject=hashed, until=message.nonce_until,
            ids=candidates(standing.keys, launch.personal, hashed),
        )  # fmt: skip
        if not arrival.fresh:
            raise used_before()
        try:
            if arrival.blocked:
                raise _Blocked
            opening = self._admit(connection, standing, launch, arrival, hashed, message.now)
        except _Blocked:
            return self._without_account(connection, standing, launch, message.now, blocked=True)
        store.open_session(connection, opening.values)
        return opening.address

    def prepared(self, connection: Connection, message: Message, arrival: Arrival, hashed: bytes) -> Opening:
        """What opens a launch of somebody named whose arrival was read by this keyed hash; its nonce is not spent.

        Raises:
            LaunchRejected: as when it is called.
        """
        standing = message.standing
        launch = check_message(message.claims, client_id=standing.client_id, tool_origin=self._tool_origin)
        opening = self._admit(connection, standing, launch, arrival, hashed, message.now)
        return replace(opening, ids=candidates(standing.keys, launch.personal, hashed))

    def _anonymous(self, connection: Connection, message: Message) -> str:
        """Open the lesson for somebody whom the LMS does not name (LTI Core 5.3.6), where the deployment allows it.

        The page is the one that needs no account: no ticket, no person, no session; the nonce and a log entry alone.
        """
        standing = message.standing
        claims = without_person(message.claims)
        launch = check_message(claims, client_id=standing.client_id, tool_origin=self._tool_origin)
        if not store.spend_nonce(connection, standing, message.nonce_hash, message.nonce_until):
            raise used_before()
        return self._without_account(connection, standing, launch, message.now)

    def _without_account(
        self, connection: Connection, standing: Standing, launch: Launch, now: datetime, *, blocked: bool = False
    ) -> str:
        """The lesson as anybody may open it. Of whoever is blocked the log says that one was, and not who."""
        named, _ = self._wanted(connection, standing, launch, None)
        place = self._place(connection, self._contract(standing), named)
        entry = log.entry(
            standing.keys, at=now, actor=f"registration:{standing.registration_id}", act="launch",
            decision="allowed", purpose=PURPOSE,
            payload={"registration": str(standing.registration_id), **({"blocked": True} if blocked else {})},
        )  # fmt: skip
        log.record(connection, entry)
        if place.url is not None:
            return place.url
        query = f"?{urlencode({'activity': place.activity_id})}" if place.activity_id else ""
        return f"{self._base_url}/lessons/{quote(place.lesson_id)}{query}"

    def _admit(
        self,
        connection: Connection,
        standing: Standing,
        launch: Launch,
        arrival: Arrival,
        hashed: bytes,
        now: datetime,
    ) -> Opening:
        contract_id = self._contract(standing)
        if launch.context is not None and (arrival.section_id is None or arrival.link is None):
            course_copies.record(connection, standing, launch.context.id, launch.history.contexts, now)
        named, origin = self._wanted(connection, standing, launch, arrival.link)
        place = self._place(connection, contract_id, named)
        role = role_of(launch.roles)
        source = people.Source(grant_id=standing.grant_id, epoch=standing.epoch, run_id=None, at=now)
        kept = self._kept(connection, contract_id, standing, launch, arrival, role, place)
        known = self._person(connection, standing, launch, arrival, hashed, role, source, kept)
        section_id, membership_id = self._membership(connection, standing, launch, arrival, known, role, source)
        content = store.link_content(launch, named, section_id, arrival.link)
        if arrival.link is not None and arrival.link.content == content:
            link_id = arrival.link.id
        else:
            link_id = store.put_link(connection, standing, launch, content, now)
            if origin is not None:
                course_copies.put_origin(connection, link_id, origin)
            store.note_family(connection, standing, launch)
        if role is Role.TEACHER and section_id is not None:
            self._after_teacher(connection, standing.district_id, section_id)
        self._notices_offered(connection, standing, launch.notice_service, arrival.notices_asked)
        ticket = new_token()
        session = {
            "id": SessionId(new_id()), "district": standing.district_id, "person": known.person_id,
            "role": role.value, "grant": standing.grant_id, "epoch": standing.epoch, "membership": membership_id,
            "link": link_id, "lesson": place.lesson_id, "activity": place.activity_id,
            "locale": launch.locale or standing.locale, "ticket": token_hash(ticket),
            "ticket_until": now + TICKET_LIFE, "now": now, "until": now + SESSION_LIFE,
        }  # fmt: skip
        address = lesson_address(self._base_url, place, ticket)
        return Opening(values={**session, **_entry(standing, known, kept, now)}, address=address)

    def _contract(self, standing: Standing) -> ContractId:
        if standing.contract_id is None:
            raise LaunchRejected(
                "no-contract",
                "Your district has no contract in force for these lessons. Ask your administrator to sign one.",
            )
        return standing.contract_id

    def _wanted(
        self, connection: Connection, standing: Standing, launch: Launch, link: Link | None
    ) -> tuple[Wanted, Origin | None]:
        """What the link opens: its deep link's item, else what its address or custom parameters name (design 6.3).

        What was lost on its way through the course is known from when it opened before, or from the link that it was
        copied from; that one is in the answer where the link is new.
        """
        before = None if link is None else link.wanted
        item_id = wanted_item(launch.target_link_uri, launch.custom)
        if before is not None and item_id is not None and before.item_id == item_id:
            return before, None
        origin = course_copies.origin_link(connection, standing, launch) if link is None else None
        found = store.deep_link_item(connection, item_id) if item_id is not None else None
        if found is None:
            known = before if origin is None else origin.wanted
            found = completed(wanted(launch.target_link_uri, launch.custom, self._base_path), known)
        if found is None:
            raise _no_lesson()
        return found, origin

    def _place(self, connection: Connection, contract_id: ContractId, named: Wanted) -> LessonPlace:
        place = self._lessons.place(named.lesson_id, named.activity_id)
        if place is None:
            raise _no_lesson()
        policy = self._policies.of(connection, contract_id)
        if not policy.allows_provider("lti"):
            raise LaunchRejected(
                "provider-not-allowed", "Your district's contract does not allow launches from an LMS."
            )
        if not policy.subprocessor_hosts.issuperset(place.hosts):
            raise LaunchRejected(
                "host-not-allowed",
                "This lesson is on a site that your district's contract does not name. Ask your administrator.",
            )
        return place

    def _kept(
        self,
        connection: Connection,
        contract_id: ContractId,
        standing: Standing,
        launch: Launch,
        arrival: Arrival,
        role: Role,
        place: LessonPlace,
    ) -> Kept:
        """What the contract lets be kept of this person, decided before anything is written (law 2)."""
        must_be_within(connection, self._policies.of(connection, contract_id), standing, launch.context)
        kind = arrival.known.kind if arrival.known else _kind(role)
        told = {"sub"} if place.no_pii else launch.personal.keys()
        personal = {name: value for name, value in launch.personal.items() if name in told}
        kept = self._intake(connection, contract_id, standing.district_id, kind, personal)
        return replace(kept, whole=not place.no_pii)

    def _person(
        self,
        connection: Connection,
        standing: Standing,
        launch: Launch,
        arrival: Arrival,
        hashed: bytes,
        role: Role,
        source: people.Source,
        kept: Kept,
    ) -> Known:
        known = arrival.known
        if known is None:
            people.lock_subject(connection, hashed)
            known = people.find(connection, [hashed], standing.grant_id).get(hashed)
            # Meanwhile; blocks wait for first launches.
            if self._intake.blocked(connection, standing.keys, {"launch": (hashed, launch.personal)}):
                raise _Blocked
        if known is None:
            known = people.create(
                connection, standing.keys, _subject(launch, standing),
                kind=_kind(role), source=source, keep_subject=kept.keep_subject,
            )  # fmt: skip
        if known.wrapped_key is None:
            raise LaunchRejected("erased", "This account was erased. Ask your teacher or your district.")
        changed, gone = people.changed_fields(standing.keys, known, standing.grant_id, kept.fields)
        if kept.whole and (changed or gone):
            people.write_fields(connection, standing.keys, known, source, changed, gone)
            known = self._same_person(connection, known, standing.grant_id, [one.name for one in changed])
        if kept.age is not None and (whose := ages.whose_of(standing.keys, known)) is not None:
            ages.settle(connection, whose, kept.age, source, earliest_day(source.at))
        return known

    def _membership(
        self,
        connection: Connection,
        standing: Standing,
        launch: Launch,
        arrival: Arrival,
        known: Known,
        role: Role,
        source: people.Source,
    ) -> tuple[SectionId | None, MembershipId | None]:
        """The section of the course and the membership in it; a role that is none has no membership."""
        if launch.context is None:
            return None, None
        section_id = arrival.section_id
        course_said = (launch.context.title or arrival.section_name, launch.memberships_url or arrival.memberships_url)
        if section_id is None or course_said != (arrival.section_name, arrival.memberships_url):
            course = CourseSaid(
                scope=str(standing.deployment_row_id), source_id=launch.context.id, name=launch.context.title,
                memberships_url=launch.memberships_url,
            )  # fmt: skip
            section_id = put_section(connection, standing.district_id, source, course)
        if role is Role.NONE or is_test_user(launch.roles):
            return section_id, None
        if arrival.membership_id is not None and arrival.membership_role == role.value:
            return section_id, arrival.membership_id
        said = [section_source_id(launch.context.id, one) for one in said_sections(launch.custom)]
        membership_id = put_membership(
            connection, standing.district_id, source, section_id=section_id, person_id=known.person_id,
            role=role.value, ends_former=arrival.membership_id is not None,
            within=sections_said(connection, section_id, said),
        )  # fmt: skip
        return section_id, membership_id


class _Blocked(Exception):
    """Nothing may be collected of whoever launches."""


def _no_lesson() -> LaunchRejected:
    return LaunchRejected(
        "no-lesson",
        "The link in the course does not name a lesson that is here. Ask whoever made the link to choose the "
        "lesson again.",
    )


def used_before() -> LaunchRejected:
    """A nonce is spent once (Security Framework 1.0, 5.1.3)."""
    return LaunchRejected("used-before", f"This launch was opened already. {AGAIN}")


def lesson_address(base_url: str, place: LessonPlace, ticket: str) -> str:
    """Where the browser goes: the lesson here with its ticket, or another site with the ticket in the fragment.

    A fragment is sent to no server and stands in no log.
    """
    if place.url is None:
        query = {"activity": place.activity_id, "ticket": ticket} if place.activity_id else {"ticket": ticket}
        return f"{base_url}/lessons/{quote(place.lesson_id)}?{urlencode(query)}"
    return f"{place.url}#{urlencode({'ticket': ticket, 'api': f'{base_url}/api/v1'})}"


def _subject(launch: Launch, standing: Standing) -> Subject:
    return Subject(provider="lti", issuer=standing.issuer, client_id=standing.client_id, subject=launch.subject)


def _kind(role: Role) -> Kind:
    """Only who teaches is staff; everybody else is under the stricter schedule."""
    return Kind.STAFF if role is Role.TEACHER else Kind.PUPIL


def _entry(standing: Standing, known: Known, kept: Kept, now: datetime) -> dict[str, object]:
    said = {"policy": kept.policy_hash, "refused": dict(kept.refused)}
    return log.entry(
        standing.keys, at=now, actor=f"person:{known.person_id}", act="launch", decision="allowed", purpose=PURPOSE,
        object_id=known.person_id, elements=kept.elements, population="person", interest=log.Interest.SERVICE,
        payload={"registration": str(standing.registration_id), **said},
    )  # fmt: skip
