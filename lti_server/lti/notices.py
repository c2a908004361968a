"""Notices from platforms: verified as strictly as a launch, taken once, answered fast and handled later (PNS 1.0).

No notice is about a person: none has a `sub`, and nothing but ids of courses is kept of it.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door
from lti_server.errors import LaunchRejected
from lti_server.ids import Clock, DeploymentRowId, DistrictId, new_id
from lti_server.lti import course_copies, signature
from lti_server.lti.claims import check_sender
from lti_server.lti.messages import PURPOSE, check_signature, deployment_of, standing_in_force
from lti_server.lti.notice_claims import CONTEXT_COPY, HANDLED, Notice, read_notice
from lti_server.lti.platform_keys import PlatformKeys
from lti_server.lti.signature import Token
from lti_server.lti.store import Standing
from lti_server.privacy import log
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.doors import DoorKeys
from lti_server.tasks import Queue

Decision = Literal["allowed", "refused"]

TASK = "notices.handle"
ACT = "notice"
MOST_NOTICES = 100
# A platform that does not retry must be answered within 2 s: keys are fetched in the first part of it, or not at all.
FETCH_BEFORE_S = 0.7
FETCH_TIMEOUT_S = 1.0
REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Refused:
    """One notice of a batch that was not taken, by its place from 0."""

    index: int
    error: LaunchRejected


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: `handled` counts those that were in order, also those that came before."""

    handled: int
    refused: tuple[Refused, ...]


@dataclass(slots=True)
class _Group:
    """The notices of one deployment: their places and tokens, and those that were refused."""

    door: bytes
    tokens: list[tuple[int, Token]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class TakeNotices:
    """Takes a batch; one bad notice does not sink the others."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        doors: DoorKeys,
        platform_keys: PlatformKeys,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ring = ring
        self._doors = doors
        self._platform_keys = platform_keys
        self._queue = queue
        self._clock = clock

    def __call__(self, jwts: Sequence[object]) -> Taken:
        """Verify each notice, and queue those that are new, a transaction for each deployment."""
        began, refused, groups = time.monotonic(), list[Refused](), dict[bytes, _Group]()
        for index, jwt in enumerate(jwts):
            try:
                token = signature.read(jwt if isinstance(jwt, str) else "")
                door = self._door(token)
            except LaunchRejected as error:
                refused.append(Refused(index, error))
            else:
                groups.setdefault(door, _Group(door)).tokens.append((index, token))
        for group in groups.values():
            self._take(group, began)
            refused += group.refused
        refused.sort(key=lambda one: one.index)
        return Taken(handled=len(jwts) - len(refused), refused=tuple(refused))

    def _door(self, token: Token) -> bytes:
        """The one deployment that a token can be of: its issuer, the client that it is for, and the deployment."""
        issuer, named = token.claims.get("iss"), deployment_of(token)
        client_id = _client_of(token)
        if not isinstance(issuer, str) or client_id is None:
            raise LaunchRejected("audience", "The launch was made for another tool (aud).")
        return self._doors.of(Door.DEPLOYMENT, issuer, client_id, named)

    def _take(self, group: _Group, began: float) -> None:
        try:
            self._refresh(group, began)
            with self._database.anyone() as connection:
                standing = standing_in_force(connection, self._ring, group.door, self._clock.now())
                self._keep(connection, standing, group)
        except LaunchRejected as error:
            group.refused = [Refused(index, error) for index, _ in group.tokens]

    def _refresh(self, group: _Group, began: float) -> None:
        """Ask the platform for its keys, once a batch, where a notice cannot be judged without."""
        now = self._clock.now()
        with self._database.anyone() as connection:
            standing = standing_in_force(connection, self._ring, group.door, now)
        wanting = [token.kid for _, token in group.tokens if standing.key_set.wants_fetch(token.kid, now)]
        if wanting and time.monotonic() - began < FETCH_BEFORE_S:
            try:
                self._platform_keys.refresh(standing.district_id, standing.key_set, standing.jwks_url, wanting[0])
            except LaunchRejected:
                if len(wanting) == len(group.tokens):
                    raise  # the others can be judged by the keys that are here

    def _keep(self, connection: Connection, standing: Standing, group: _Group) -> None:
        now, taken = self._clock.now(), list[Notice]()
        for index, token in group.tokens:
            try:
                check_signature(token, standing)
                claims = check_sender(token.claims, issuer=standing.issuer, client_id=standing.client_id, now=now)
                taken.append(read_notice(claims))
            except LaunchRejected as error:
                group.refused.append(Refused(index, error))
        for notice in taken:
            self._put(connection, standing, notice, now)
        for decision, payload in _said_in_the_log(taken, group.refused):
            told = {"registration": str(standing.registration_id), **payload}
            entry = log.entry(
                standing.keys, at=now, actor=f"registration:{standing.registration_id}", act=ACT, decision=decision,
                purpose=PURPOSE, payload=told,
            )  # fmt: skip
            log.record(connection, entry)

    def _put(self, connection: Connection, standing: Standing, notice: Notice, now: datetime) -> None:
        """Keep a notice once, and queue what it asks for; a type that nothing is done for is kept and ignored."""
        found = connection.execute(
            _PUT,
            {
                "id": new_id(), "district": standing.district_id, "registration": standing.registration_id,
                "deployment": standing.deployment_row_id, "notice": notice.id, "type": notice.type,
                "said": json.dumps(notice.said), "now": now, "until": now + REMEMBERED,
            },
        ).scalar_one_or_none()  # fmt: skip
        if found is not None and notice.type in HANDLED:
            self._queue.defer(connection, TASK, district_id=str(standing.district_id), notice_row_id=str(found))


_PUT = sa.text(
    """
INSERT INTO notice (id, district_id, registration_id, deployment_row_id, notice_id, notice_type, said, received_at,
  expires_at)
VALUES (:id, :district, :registration, :deployment, :notice, :type, CAST(:said AS jsonb), :now, :until)
ON CONFLICT (registration_id, notice_id) DO NOTHING RETURNING id
"""
)
_TAKE = sa.text(
    "SELECT district_id, deployment_row_id, notice_type, said FROM notice WHERE id = :id AND handled_at IS NULL"
    " FOR UPDATE"
)


@dataclass(frozen=True, slots=True)
class _Place:
    district_id: DistrictId
    deployment_row_id: DeploymentRowId


class HandleNotice:
    """Does what a notice that was taken asks for. Run again, it changes nothing more (law 10)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def __call__(self, district_id: str, notice_row_id: str) -> None:
        """Handle one notice of a district; one that was handled before is left alone."""
        notice_id, now = UUID(notice_row_id), self._clock.now()
        with self._database.tenant(DistrictId(UUID(district_id))) as connection:
            row = connection.execute(_TAKE, {"id": notice_id}).one_or_none()
            if row is None:
                return
            if row.notice_type == CONTEXT_COPY:
                place = _Place(DistrictId(row.district_id), DeploymentRowId(row.deployment_row_id))
                course_copies.record(connection, place, row.said["context"], row.said["origins"], now)
            done = sa.text("UPDATE notice SET handled_at = :now WHERE id = :id")
            connection.execute(done, {"id": notice_id, "now": now})


def _client_of(token: Token) -> str | None:
    """For whom a token was made: `azp`, or the one audience (Security Framework 1.0, 5.1.2)."""
    audience, party = token.claims.get("aud"), token.claims.get("azp")
    if isinstance(party, str):
        return party
    listed = audience if isinstance(audience, list) else [audience]
    return listed[0] if len(listed) == 1 and isinstance(listed[0], str) else None


def _said_in_the_log(taken: Iterable[Notice], refused: Iterable[Refused]) -> list[tuple[Decision, dict[str, Any]]]:
    """One entry for what was taken and one for each reason of refusal: a flood of notices is none of entries."""
    counts = Counter(notice.type if notice.type in HANDLED else "ignored" for notice in taken)
    reasons = Counter(one.error.reason for one in refused)
    entries: list[tuple[Decision, dict[str, Any]]] = []
    if counts:
        entries.append(("allowed", {"notices": dict(counts)}))
    entries += [("refused", {"reason": reason, "count": count}) for reason, count in reasons.items()]
    return entries
