"""The way in for every LTI message: verified, its nonce spent, and handed to what its type asks for (design 4, walk 1).

One transaction holds all of it; a refusal rolls it back, and is noted in a transaction of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter, find_by
from lti_server.errors import LaunchRejected
from lti_server.ids import Clock, DistrictId
from lti_server.lti import signature, store
from lti_server.lti.claims import LTI, check_token, message_type, opaque_id, return_url
from lti_server.lti.platform_keys import KeySet, PlatformKeys
from lti_server.lti.signature import Token, VerifiedClaims
from lti_server.lti.state import LoginState
from lti_server.lti.store import Standing
from lti_server.privacy import districts, log
from lti_server.privacy.crypto import DistrictKeys, KeyRing
from lti_server.privacy.doors import DoorKeys

NONCE_LIFE = timedelta(minutes=20)
PURPOSE = "instruction"
# Refusals of a message that is itself in order: the district or the course must be set right, so the reader goes back
# there. Whatever is wrong with the message stays on a page of ours.
RETURNED = frozenset(
    {"no-contract", "no-lesson", "provider-not-allowed", "host-not-allowed", "erased", "outside-population"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message whose token holds. What it says beyond that is not checked, and its nonce is not spent yet."""

    standing: Standing
    claims: VerifiedClaims
    nonce_hash: bytes
    nonce_until: datetime
    now: datetime


class Handler(Protocol):
    def __call__(self, connection: Connection, message: Message) -> str:
        """Check what this type must say, spend the nonce, act, and answer where the browser goes next.

        Raises:
            LaunchRejected: nothing is kept.
        """
        ...


class Repeated(Protocol):
    """The short way, for launches that change nothing but what they open."""

    def learn(self, door: bytes, keys: DistrictKeys) -> None: ...

    def open(self, token: Token, state: LoginState, door: bytes) -> str | None:
        """Where the browser goes next; None where the message must go the whole way."""
        ...


class _KeysWanted(Exception):
    """The set of keys must be asked for before this message can be judged."""

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


class TakeMessage:
    """Verifies a message and gives it to the handler of its type."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        doors: DoorKeys,
        platform_keys: PlatformKeys,
        handlers: Mapping[str, Handler],
        repeated: Repeated,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ring = ring
        self._doors = doors
        self._platform_keys = platform_keys
        self._handlers = handlers
        self._repeated = repeated
        self._clock = clock

    def __call__(self, id_token: str, state: LoginState) -> str:
        """Take the message; answer the address that the browser goes to next.

        Raises:
            LaunchRejected: with a reason of docs/reference/launch-refusals.md; nothing was written. `return_to` is set
                where the reader can go back to the LMS.
        """
        token = signature.read(id_token)
        door = self._door(token, state)
        address = self._repeated.open(token, state, door)
        return address if address is not None else self._whole_way(token, state, door)

    def _whole_way(self, token: Token, state: LoginState, door: bytes) -> str:
        try:
            try:
                return self._take(token, state, door, refreshed=False)
            except _KeysWanted as keys:
                self._platform_keys.refresh(keys.district_id, keys.key_set, keys.jwks_url, token.kid)
            return self._take(token, state, door, refreshed=True)
        except _Refused as refused:
            self._note(refused)
            raise refused.error from refused
        except LaunchRejected as error:
            if error.reason == "unknown-deployment":
                self._note_stranger(state, error)
            raise

    def _take(self, token: Token, state: LoginState, door: bytes, *, refreshed: bool) -> str:
        now = self._clock.now()
        with self._database.anyone() as connection:
            standing = standing_in_force(connection, self._ring, door, now)
            self._repeated.learn(door, standing.keys)
            if not refreshed and standing.key_set.wants_fetch(token.kid, now):
                raise _KeysWanted(standing.district_id, standing.key_set, standing.jwks_url)
            try:
                claims = verified(token, state, standing, now)
                message = Message(
                    standing=standing, claims=claims, now=now, nonce_until=now + NONCE_LIFE,
                    nonce_hash=hashlib.sha256(state.nonce.encode()).digest(),
                )  # fmt: skip
                return self._handled(connection, message)
            except LaunchRejected as error:
                raise _Refused(standing, error) from error

    def _handled(self, connection: Connection, message: Message) -> str:
        handler = self._handlers.get(message_type(message.claims))
        if handler is None:
            raise LaunchRejected("message-type", "The LMS asks for something that this tool does not offer here.")
        try:
            return handler(connection, message)
        except LaunchRejected as error:
            if error.reason in RETURNED:
                error.return_to = return_url(message.claims)
            raise

    def _note(self, refused: _Refused) -> None:
        """A refusal has a transaction of its own: what it refused was rolled back (design 2, "Log")."""
        standing = refused.standing
        entry = _refusal(standing.keys, standing.registration_id, refused.error, self._clock.now())
        with self._database.tenant(standing.district_id) as connection:
            log.record(connection, entry)

    def _note_stranger(self, state: LoginState, error: LaunchRejected) -> None:
        """A deployment that nobody registered is told to the one district that has its client, if there is one."""
        key = self._doors.of(Door.CLIENT, state.issuer, state.client_id)
        with self._database.anyone() as connection:
            owners = find_by(connection, Door.CLIENT, key)
            if len(owners) != 1:
                return
            enter(connection, owners[0].district_id)
            keys = districts.current(connection, self._ring).keys
            log.record(connection, _refusal(keys, owners[0].target_id, error, self._clock.now()))

    def _door(self, token: Token, state: LoginState) -> bytes:
        """The deployment selects district and key; the state binds issuer and client (design 2)."""
        named = deployment_of(token)
        if state.deployment_id is not None and state.deployment_id != named:
            raise LaunchRejected("other-deployment", "The launch names another installation than it began with.")
        return self._doors.of(Door.DEPLOYMENT, state.issuer, state.client_id, named)


def verified(token: Token, state: LoginState, standing: Standing, now: datetime) -> VerifiedClaims:
    """The claims of a token, once its signature holds and it is for this tool, this login and this moment.

    Raises:
        LaunchRejected: `kid-unknown`, `signature`, and the reasons of `check_token`.
    """
    check_signature(token, standing)
    return check_token(token.claims, issuer=standing.issuer, client_id=standing.client_id, nonce=state.nonce, now=now)


def deployment_of(token: Token) -> str:
    """The deployment that a token names, before anything of it is believed.

    Raises:
        LaunchRejected: `claims-missing`.
    """
    named = opaque_id(token.claims.get(LTI + "deployment_id"))
    if named is None:
        raise LaunchRejected("claims-missing", "The launch lacks what every launch must say: deployment_id.")
    return named


def standing_in_force(connection: Connection, ring: KeyRing, door: bytes, now: datetime) -> Standing:
    """Enter the tenant of a deployment by its door, and read what it stands on.

    Raises:
        LaunchRejected: `unknown-deployment`, `not-approved`, `grant-not-active`.
    """
    standing = store.standing(connection, ring, door, now)
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


def check_signature(token: Token, standing: Standing) -> None:
    """Check a token with the keys that its platform publishes.

    Raises:
        LaunchRejected: `kid-unknown`, `signature`.
    """
    keys = standing.key_set.keys
    if token.kid not in keys:
        raise LaunchRejected(
            "kid-unknown", "The LMS signed this launch with a key that it does not publish. Try again in a minute."
        )
    signature.verify(token, keys)


def _refusal(keys: DistrictKeys, registration_id: UUID, error: LaunchRejected, now: datetime) -> dict[str, object]:
    return log.entry(
        keys, at=now, actor=f"registration:{registration_id}", act="launch", decision="refused", purpose=PURPOSE,
        payload={"reason": error.reason, "registration": str(registration_id)},
    )  # fmt: skip
