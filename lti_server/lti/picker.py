"""Choosing lessons for a course: from a deep linking request to the signed answer (Deep Linking 2.0)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from joserfc import jwt
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, entered, open_door
from lti_server.errors import InvalidInput, LaunchRejected, NotFound
from lti_server.ids import Clock, ContractId, DistrictId, GrantId, new_id
from lti_server.lti import deep_linking, store
from lti_server.lti.claims import context_of, locale_of, roles_of
from lti_server.lti.deep_linking import Options, PickerSettings, Shown, Told, content_item, read_settings
from lti_server.lti.keys import ToolKeys
from lti_server.lti.launches import used_before
from lti_server.lti.messages import PURPOSE, Message
from lti_server.lti.reach import must_be_within
from lti_server.lti.roles import may_choose
from lti_server.lti.tables import deep_link_item, deep_link_request
from lti_server.privacy import districts, log
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import KeyRing, new_token, token_hash
from lti_server.privacy.model import Policy
from lti_server.statements import Statement
from lti_server.web.languages import N_

CHOOSE_WITHIN = timedelta(hours=1)
# A picker that stood open too long still goes back to the LMS with an answer, for as long as this.
ANSWER_WITHIN = timedelta(hours=24)
MOST_ITEMS = 50


class Shelf(Protocol):
    """What the picker asks of the catalogue."""

    def shown(self, locale: str) -> Sequence[OnShelf]:
        """Every lesson in the reader's language."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OnShelf:
    """A lesson with its activities, and the hosts that a contract must name before it is played."""

    lesson: Shown
    activities: tuple[Shown, ...]
    hosts: tuple[str, ...]

    def pick(self, activity_id: str) -> Shown | None:
        if not activity_id:
            return self.lesson
        return next((one for one in self.activities if one.activity_id == activity_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A picker that was opened. `settings` never reach the browser."""

    id: UUID
    district_id: DistrictId
    deployment_row_id: UUID
    grant_id: GrantId
    issuer: str
    client_id: str
    deployment_id: str
    locale: str
    settings: PickerSettings = field(repr=False)
    choose_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the browser posts to the LMS: the form field `JWT`, to `return_url`."""

    return_url: str
    jwt: str = field(repr=False)
    locale: str


class OpenPicker:
    """The handler of deep linking requests. It takes no personal data at all: a choice needs none."""

    def __init__(self, policies: Policies, check_url: Callable[[str], None], base_url: str) -> None:
        self._policies = policies
        self._check_url = check_url
        self._base_url = base_url

    def __call__(self, connection: Connection, message: Message) -> str:
        """Keep the settings, and send the teacher to the picker.

        Raises:
            LaunchRejected: `claims-missing`, `malformed-claim`, `not-a-teacher`, `no-contract`,
                `provider-not-allowed`, `return-url`, `used-before`.
        """
        standing, claims = message.standing, message.claims
        settings = read_settings(claims)
        try:
            self._check_url(settings.return_url)
        except ValueError as error:
            raise LaunchRejected("return-url", "The LMS wants the choice sent to an unsafe address.") from error
        if not may_choose(roles_of(claims)):
            raise LaunchRejected("not-a-teacher", "Only a teacher of the course may choose lessons for it.")
        policy = self._allowed(connection, standing.contract_id)
        must_be_within(connection, policy, standing, context_of(claims))
        if not store.spend_nonce(connection, standing, message.nonce_hash, message.nonce_until):
            raise used_before()
        token = new_token()
        self._keep(connection, message, settings, token)
        log.record(
            connection,
            log.entry(
                standing.keys, at=message.now, actor=f"registration:{standing.registration_id}", act="deep-linking",
                decision="allowed", purpose=PURPOSE, payload={"registration": str(standing.registration_id)},
            ),
        )  # fmt: skip
        return f"{self._base_url}/lti/choose?request={token}"

    def _allowed(self, connection: Connection, contract_id: ContractId | None) -> Policy:
        if contract_id is None:
            raise LaunchRejected(
                "no-contract",
                "Your district has no contract in force for these lessons. Ask your administrator to sign one.",
            )
        policy = self._policies.of(connection, contract_id)
        if not policy.allows_provider("lti"):
            raise LaunchRejected(
                "provider-not-allowed", "Your district's contract does not allow launches from an LMS."
            )
        return policy

    def _keep(self, connection: Connection, message: Message, settings: PickerSettings, token: str) -> None:
        standing, request_id, until = message.standing, new_id(), message.now + ANSWER_WITHIN
        sealed = standing.keys.seal("deep_link_request", "settings", request_id, json.dumps(settings.document()))
        connection.execute(
            deep_link_request.insert().values(
                id=request_id, district_id=standing.district_id, deployment_row_id=standing.deployment_row_id,
                grant_id=standing.grant_id, grant_epoch=standing.epoch, settings=sealed,
                locale=locale_of(message.claims) or standing.locale, created_at=message.now,
                choose_until=message.now + CHOOSE_WITHIN, expires_at=until,
            )
        )  # fmt: skip
        if not open_door(connection, Door.PICKER, token_hash(token), request_id, until):
            raise used_before()


_REQUEST = Statement(
    """
SELECT q.id, q.district_id, q.deployment_row_id, q.grant_id, q.settings, q.locale, q.choose_until, q.answered_at,
  r.issuer, r.client_id, d.deployment_id
FROM deep_link_request q
JOIN grants g ON g.id = q.grant_id AND g.state = 'active' AND g.epoch = q.grant_epoch
JOIN deployment d ON d.id = q.deployment_row_id
JOIN registration r ON r.id = d.registration_id AND r.removed_at IS NULL
WHERE q.id = :id AND q.expires_at > :now FOR UPDATE OF q
"""
)


class Picker:
    """What a teacher does with an open picker. The token in its address is the credential; no cookie is needed."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        policies: Policies,
        shelf: Shelf,
        tool_keys: ToolKeys,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._database = database
        self._ring = ring
        self._policies = policies
        self._shelf = shelf
        self._tool_keys = tool_keys
        self._clock = clock
        self._base_url = base_url

    def open(self, token: str) -> tuple[Request, list[OnShelf], bool]:
        """The request, what may be chosen under the contract, and whether it is still time to choose.

        Raises:
            NotFound: unknown, answered, or its grant has ended.
        """
        with self._database.anyone() as connection:
            request = self._request(connection, token)
            return request, self._choosable(connection, request), self._clock.now() <= request.choose_until

    def choose(self, token: str, picks: Sequence[str], options: Options, *, too_late: str) -> Answer:
        """Answer the LMS with what was chosen, once; each pick is "lesson" or "lesson/activity".

        Times of the options are of the district's clock. After an hour the answer holds nothing, and says `too_late` to
        the LMS's reader.

        Raises:
            NotFound: unknown, answered, or its grant has ended.
            InvalidInput: nothing was picked, or something that was not offered.
        """
        with self._database.anyone() as connection:
            request = self._request(connection, token)
            now = self._clock.now()
            if now > request.choose_until:
                return self._answer(connection, request, [], Told(errormsg=too_late, errorlog="picker-expired"), now)
            shown = _picked(self._choosable(connection, request), picks, options, request.settings)
            options = _at(options, districts.current(connection, self._ring).zone)
            items = []
            for one in shown:
                item_id = str(self._keep_item(connection, request, one, options, now))
                items.append(content_item(one, item_id, options, request.settings, self._base_url))
            return self._answer(connection, request, items, Told(log=f"{len(items)} chosen"), now)

    def cancel(self, token: str) -> Answer:
        """Answer the LMS that nothing was chosen (an empty list, 2.0, 4.5.4).

        Raises:
            NotFound: unknown, answered, or its grant has ended.
        """
        with self._database.anyone() as connection:
            return self._answer(
                connection, self._request(connection, token), [], Told(log="cancelled"), self._clock.now()
            )

    def _request(self, connection: Connection, token: str) -> Request:
        found = entered(connection, Door.PICKER, token_hash(token))
        row = _REQUEST.one(connection, {"id": found.target_id, "now": self._clock.now()})
        if row is None or row[7] is not None:
            raise NotFound("This list of lessons was used already, or is too old. Open it again from your course.")
        keys = districts.current(connection, self._ring).keys
        settings = json.loads(keys.open("deep_link_request", "settings", row[0], bytes(row[4])))
        return Request(
            id=row[0], district_id=row[1], deployment_row_id=row[2], grant_id=row[3], locale=row[5],
            choose_until=row[6], issuer=row[8], client_id=row[9], deployment_id=row[10],
            settings=PickerSettings.of(settings),
        )  # fmt: skip

    def _choosable(self, connection: Connection, request: Request) -> list[OnShelf]:
        """Lessons whose hosts the contract in force names."""
        zone = districts.current(connection, self._ring).zone
        contract_id = in_force(connection, zone, self._clock.now())
        if contract_id is None:
            return []
        hosts = self._policies.of(connection, contract_id).subprocessor_hosts
        return [one for one in self._shelf.shown(request.locale) if hosts.issuperset(one.hosts)]

    def _keep_item(
        self, connection: Connection, request: Request, shown: Shown, options: Options, now: datetime
    ) -> UUID:
        item_id = new_id()
        connection.execute(
            deep_link_item.insert().values(
                id=item_id, district_id=request.district_id, grant_id=request.grant_id, lesson_id=shown.lesson_id,
                activity_id=shown.activity_id, kind=options.kind, created_at=now,
            )
        )  # fmt: skip
        return item_id

    def _answer(
        self, connection: Connection, request: Request, items: Sequence[Mapping[str, Any]], told: Told, now: datetime
    ) -> Answer:
        connection.execute(
            sa.update(deep_link_request).where(deep_link_request.c.id == request.id).values(answered_at=now)
        )
        claims = deep_linking.response_claims(
            issuer=request.issuer, client_id=request.client_id, deployment_id=request.deployment_id,
            settings=request.settings, items=items, told=told, nonce=new_token(), now=now,
        )  # fmt: skip
        signing = self._tool_keys.current()
        header = {"alg": "RS256", "kid": signing.kid, "typ": "JWT"}
        text = jwt.encode(header, claims, signing.key, algorithms=["RS256"])
        return Answer(return_url=request.settings.return_url, jwt=text, locale=request.locale)


def _at(options: Options, zone: ZoneInfo) -> Options:
    """The options with their times in the district's zone."""
    times = {name: getattr(options, name) for name in ("available_from", "available_until", "due")}
    return replace(options, **{name: at.replace(tzinfo=zone) for name, at in times.items() if at is not None})


def _picked(shelf: Sequence[OnShelf], picks: Sequence[str], options: Options, settings: PickerSettings) -> list[Shown]:
    """What was picked, each once, or every fault at once."""
    faults: list[tuple[str, str]] = []
    if options.kind not in settings.types:
        faults.append(("/kind", N_("The course does not take this kind of item.")))
    if not picks:
        faults.append(("/pick", N_("Choose a lesson first.")))
    if len(picks) > (MOST_ITEMS if settings.multiple else 1):
        faults.append(("/pick", N_("The course takes one thing at a time.")))
    by_id = {one.lesson.lesson_id: one for one in shelf}
    found: list[Shown] = []
    for pick in dict.fromkeys(picks):
        lesson_id, _, activity_id = pick.partition("/")
        shown = by_id[lesson_id].pick(activity_id) if lesson_id in by_id else None
        if shown is None:
            faults.append(("/pick", N_("This lesson or activity is not offered here.")))
        elif options.kind == deep_linking.IMAGE and shown.picture is None:
            faults.append(("/pick", N_("There is no picture of this lesson.")))
        else:
            found.append(shown)
    if options.available_from and options.available_until and options.available_from >= options.available_until:
        faults.append(("/available_until", N_("It must end after it begins.")))
    if faults:
        raise InvalidInput.listing("The choice was not sent.", faults)
    return found
