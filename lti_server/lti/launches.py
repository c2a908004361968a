"""The launch: from an id_token to a session with a ticket, in one transaction (design 4, walk 1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.intake import Intake
from lti_server.accounts.model import Kept, Kind, Known, Subject
from lti_server.db import Database, Door, enter_by
from lti_server.errors import LaunchRejected
from lti_server.ids import Clock, ContractId, DistrictId, MembershipId, SectionId, SessionId, new_id
from lti_server.lti import signature, store
from lti_server.lti.claims import LTI, Launch, check_message, check_token
from lti_server.lti.lesson_link import Wanted, wanted
from lti_server.lti.platform_keys import KeySet, PlatformKeys
from lti_server.lti.roles import Role, is_test_user, role_of
from lti_server.lti.signature import Token
from lti_server.lti.state import AGAIN, LoginState
from lti_server.lti.store import Arrival, Standing
from lti_server.privacy import log
from lti_server.privacy.contracts import Policies
from lti_server.privacy.crypto import KeyRing, new_token, token_hash
from lti_server.privacy.doors import DoorKeys
from lti_server.roster.arrival import CourseSaid, put_membership, put_section

TICKET_LIFE = timedelta(seconds=60)
SESSION_LIFE = timedelta(hours=12)
NONCE_LIFE = timedelta(minutes=20)
PURPOSE = "instruction"


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


class AfterLaunch(Protocol):
    def __call__(self, connection: Connection, district_id: DistrictId, section_id: SectionId) -> None:
        """Work that follows a teacher's launch, deferred on the same transaction."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A launch that opened: hand the ticket to the lesson within 60 s, once."""

    ticket: str
    place: LessonPlace


class _KeysWanted(Exception):
    """The set of keys must be asked for before this launch can go on."""

    def __init__(self, district_id: DistrictId, key_set: KeySet, jwks_url: str) -> None:
        super().__init__()
        self.district_id = district_id
        self.key_set = key_set
        self.jwks_url = jwks_url


class _Refused(Exception):
    """A refusal whose tenant is known."""

    def __init__(self, standing: Standing, error: LaunchRejected) -> None:
        super().__init__()
        self.standing = standing
        self.error = error


class OpenLaunch:
    """Verifies a launch and opens its lesson. One transaction; a refusal rolls all of it back."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        doors: DoorKeys,
        platform_keys: PlatformKeys,
        intake: Intake,
        policies: Policies,
        lessons: Lessons,
        after_teacher: AfterLaunch,
        clock: Clock,
        tool_origin: str,
        base_path: str,
    ) -> None:
        self._database = database
        self._ring = ring
        self._doors = doors
        self._platform_keys = platform_keys
        self._intake = intake
        self._policies = policies
        self._lessons = lessons
        self._after_teacher = after_teacher
        self._clock = clock
        self._tool_origin = tool_origin
        self._base_path = base_path

    def __call__(self, id_token: str, state: LoginState) -> Opened:
        """Open the launch.

        Reads the personal claims of one person; keeps what the contract allows, encrypted; counts the rest.

        Raises:
            LaunchRejected: with a reason of docs/reference/launch-refusals.md; nothing was written.
        """
        token = signature.read(id_token)
        try:
            try:
                return self._open(token, state, refreshed=False)
            except _KeysWanted as keys:
                self._platform_keys.refresh(keys.district_id, keys.key_set, keys.jwks_url, token.kid)
            return self._open(token, state, refreshed=True)
        except _Refused as refused:
            self._note(refused)
            raise refused.error from refused

    def _open(self, token: Token, state: LoginState, *, refreshed: bool) -> Opened:
        now = self._clock.now()
        with self._database.anyone() as connection:
            standing = self._standing(connection, token, state, now)
            if not refreshed and standing.key_set.wants_fetch(token.kid, now):
                raise _KeysWanted(standing.district_id, standing.key_set, standing.jwks_url)
            try:
                launch = self._verified(token, state, standing, now)
                hashed = people.subject_hash(standing.keys, _subject(launch, standing))
                nonce = hashlib.sha256(state.nonce.encode()).digest()
                arrival = store.arrive(
                    connection, standing, launch, nonce=nonce, subject=hashed, until=now + NONCE_LIFE
                )
                if not arrival.fresh:
                    raise LaunchRejected("used-before", f"This launch was opened already. {AGAIN}")
                return self._admit(connection, standing, launch, arrival, hashed, now)
            except LaunchRejected as error:
                raise _Refused(standing, error) from error

    def _note(self, refused: _Refused) -> None:
        """A refusal has a transaction of its own: what it refused was rolled back (design 2, "Log")."""
        standing = refused.standing
        entry = log.entry(
            standing.keys,
            at=self._clock.now(),
            actor=f"registration:{standing.registration_id}",
            act="launch",
            decision="refused",
            purpose=PURPOSE,
            payload={"reason": refused.error.reason},
        )
        with self._database.tenant(standing.district_id) as connection:
            log.record(connection, entry)

    def _standing(self, connection: Connection, token: Token, state: LoginState, now: datetime) -> Standing:
        """The deployment selects district and key; the state binds issuer and client (design 2)."""
        named = token.claims.get(LTI + "deployment_id")
        if not isinstance(named, str) or not named:
            raise LaunchRejected("claims-missing", "The launch lacks what every launch must say: deployment_id.")
        if state.deployment_id is not None and state.deployment_id != named:
            raise LaunchRejected("other-deployment", "The launch names another installation than it began with.")
        key = self._doors.of(Door.DEPLOYMENT, state.issuer, state.client_id, named)
        found = enter_by(connection, Door.DEPLOYMENT, key)
        standing = store.standing(connection, self._ring, found.target_id, now) if found else None
        if standing is None:
            raise LaunchRejected(
                "unknown-deployment",
                "This installation of the tool in the LMS is not known here. Ask your administrator to add its "
                "deployment id.",
            )
        if standing.grant_state == "pending":
            raise LaunchRejected(
                "not-approved",
                "This LMS has registered itself here, and nobody has approved it yet. Ask your administrator to do so.",
            )
        if standing.grant_state != "active":
            raise LaunchRejected("grant-not-active", "Your district has switched this connection off.")
        return standing

    def _verified(self, token: Token, state: LoginState, standing: Standing, now: datetime) -> Launch:
        keys = standing.key_set.keys
        if token.kid not in keys:
            raise LaunchRejected(
                "kid-unknown", "The LMS signed this launch with a key that it does not publish. Try again in a minute."
            )
        signature.verify(token, keys)
        claims = check_token(
            token.claims, issuer=standing.issuer, client_id=standing.client_id, nonce=state.nonce, now=now
        )
        return check_message(claims, client_id=standing.client_id, tool_origin=self._tool_origin)

    def _admit(
        self,
        connection: Connection,
        standing: Standing,
        launch: Launch,
        arrival: Arrival,
        hashed: bytes,
        now: datetime,
    ) -> Opened:
        contract_id = self._contract(standing)
        place = self._place(connection, contract_id, launch)
        role = role_of(launch.roles)
        source = people.Source(grant_id=standing.grant_id, epoch=standing.epoch, run_id=None, at=now)
        kept = self._kept(connection, contract_id, standing, launch, arrival, role, place)
        known = self._person(connection, standing, launch, arrival, hashed, role, source, kept)
        section_id, membership_id = self._membership(connection, standing, launch, arrival, known, role, source)
        wanted_link = Wanted(lesson_id=place.lesson_id, activity_id=place.activity_id)
        content = store.link_content(launch, wanted_link, section_id, arrival.link)
        if arrival.link is not None and arrival.link.content == content:
            link_id = arrival.link.id
        else:
            link_id = store.put_link(connection, standing, launch, content, now)
        if role is Role.TEACHER and section_id is not None:
            self._after_teacher(connection, standing.district_id, section_id)
        ticket = new_token()
        session = {
            "id": SessionId(new_id()), "district": standing.district_id, "person": known.person_id,
            "role": role.value, "grant": standing.grant_id, "epoch": standing.epoch, "membership": membership_id,
            "link": link_id, "lesson": place.lesson_id, "activity": place.activity_id,
            "locale": launch.locale or standing.locale, "ticket": token_hash(ticket),
            "ticket_until": now + TICKET_LIFE, "now": now, "until": now + SESSION_LIFE,
        }  # fmt: skip
        store.open_session(connection, session, _entry(standing, known, kept, now))
        return Opened(ticket=ticket, place=place)

    def _contract(self, standing: Standing) -> ContractId:
        if standing.contract_id is None:
            raise LaunchRejected(
                "no-contract",
                "Your district has no contract in force for these lessons. Ask your administrator to sign one.",
            )
        return standing.contract_id

    def _place(self, connection: Connection, contract_id: ContractId, launch: Launch) -> LessonPlace:
        named = wanted(launch.target_link_uri, launch.custom, self._base_path)
        place = self._lessons.place(named.lesson_id, named.activity_id) if named else None
        if place is None:
            raise LaunchRejected(
                "no-lesson",
                "The link in the course does not name a lesson that is here. Ask whoever made the link to choose the "
                "lesson again.",
            )
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
        kind = arrival.known.kind if arrival.known else _kind(role)
        personal: Mapping[str, object] = launch.personal
        if place.no_pii:
            personal = {name: value for name, value in personal.items() if name == "sub"}
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
        said = (launch.context.title or arrival.section_name, launch.memberships_url or arrival.memberships_url)
        if section_id is None or said != (arrival.section_name, arrival.memberships_url):
            course = CourseSaid(
                scope=str(standing.deployment_row_id),
                source_id=launch.context.id,
                name=launch.context.title,
                memberships_url=launch.memberships_url,
            )
            section_id = put_section(connection, standing.district_id, source, course)
        if role is Role.NONE or is_test_user(launch.roles):
            return section_id, None
        if arrival.membership_id is not None and arrival.membership_role == role.value:
            return section_id, arrival.membership_id
        membership_id = put_membership(
            connection, standing.district_id, source, section_id=section_id, person_id=known.person_id,
            role=role.value, ends_former=arrival.membership_id is not None,
        )  # fmt: skip
        return section_id, membership_id


def _subject(launch: Launch, standing: Standing) -> Subject:
    return Subject(provider="lti", issuer=standing.issuer, client_id=standing.client_id, subject=launch.subject)


def _kind(role: Role) -> Kind:
    """Only who teaches is staff; everybody else is under the stricter schedule."""
    return Kind.STAFF if role is Role.TEACHER else Kind.PUPIL


def _entry(standing: Standing, known: Known, kept: Kept, now: datetime) -> dict[str, object]:
    return log.entry(
        standing.keys,
        at=now,
        actor=f"person:{known.person_id}",
        act="launch",
        decision="allowed",
        purpose=PURPOSE,
        object_id=known.person_id,
        elements=kept.elements,
        payload={
            "registration": str(standing.registration_id),
            "policy": kept.policy_hash,
            "refused": dict(kept.refused),
        },
    )
