"""A launch that changes nothing but what it opens, in two ways to the server.

Most launches are of this kind: a pupil who was here before opens a link that was opened before. Everything they stand
on is read in one statement, judged by the very code that judges every launch, and opened by another. Whatever is
otherwise, refusals too, is left to the whole way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.model import Subject
from lti_server.db import Database
from lti_server.errors import GrantRevoked, LaunchRejected, NotFound
from lti_server.ids import Clock
from lti_server.lti import store
from lti_server.lti.claims import LTI, RESOURCE_LINK_REQUEST, message_type, opaque_id
from lti_server.lti.launches import OpenLaunch
from lti_server.lti.messages import NONCE_LIFE, Message, verified
from lti_server.lti.signature import Token
from lti_server.lti.state import LoginState
from lti_server.privacy.crypto import DistrictKeys, KeyRing

MOST_DOORS_KNOWN = 10_000


class _ChangesMore(Exception):
    """The launch wants a statement of its own."""


class _NoConnection:
    """Stands where a connection would, for a launch that is expected to need none."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _ChangesMore(name)


@dataclass(frozen=True, slots=True)
class LookUp:
    """By what a launch finds who and where it is; of a token that is not believed yet, so it is shown to nobody."""

    subject: str
    context: str | None
    link: str


class RepeatedLaunches:
    """Opens launches that change nothing more. It remembers the keys of districts, never anything of a person."""

    def __init__(self, *, database: Database, ring: KeyRing, open_launch: OpenLaunch, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._open_launch = open_launch
        self._clock = clock
        self._keys: dict[bytes, DistrictKeys] = {}

    def learn(self, door: bytes, keys: DistrictKeys) -> None:
        """The district behind a deployment's door: its pepper makes the keyed hash that finds a person."""
        if len(self._keys) >= MOST_DOORS_KNOWN:
            self._keys.clear()
        self._keys[door] = keys

    def open(self, token: Token, state: LoginState, door: bytes) -> str | None:
        """Where the browser goes next; None where the launch must go the whole way, and nothing was written."""
        keys, asked = self._keys.get(door), _look_up(token)
        if keys is None or asked is None:
            return None
        try:
            return self._opened(token, state, door, keys, asked)
        except (LaunchRejected, GrantRevoked, NotFound, _ChangesMore):
            return None

    def _opened(self, token: Token, state: LoginState, door: bytes, keys: DistrictKeys, asked: LookUp) -> str | None:
        now = self._clock.now()
        subject = Subject(provider="lti", issuer=state.issuer, client_id=state.client_id, subject=asked.subject)
        hashed = people.subject_hash(keys, subject)
        look_up: dict[str, Any] = {
            "door": door, "now": now, "subject": hashed, "context": asked.context, "said_link": asked.link,
        }  # fmt: skip
        found = store.read(self._database, self._ring, look_up)
        if found is None:
            return None
        standing, arrival = found
        if standing.grant_state != "active" or standing.key_set.wants_fetch(token.kid, now):
            return None
        claims = verified(token, state, standing, now)
        if message_type(claims) != RESOURCE_LINK_REQUEST:
            return None
        message = Message(
            standing=standing, claims=claims, now=now, nonce_until=now + NONCE_LIFE,
            nonce_hash=hashlib.sha256(state.nonce.encode()).digest(),
        )  # fmt: skip
        opening = self._open_launch.prepared(cast(Connection, _NoConnection()), message, arrival, hashed)
        if arrival.known is None:
            return None
        values = {
            "door": door, "identity": arrival.known.identity_id, "nonce": message.nonce_hash,
            "nonce_until": message.nonce_until, "ids": list(opening.ids), **opening.values,
        }  # fmt: skip
        return opening.address if store.open_again(self._database, values) else None


def _look_up(token: Token) -> LookUp | None:
    """None where any of it is no id: that is for the whole way to refuse, before a hash or a database meets it."""
    claims = token.claims
    subject, link = opaque_id(claims.get("sub")), _id_of(claims, "resource_link")
    context = _id_of(claims, "context")
    if subject is None or link is None or (context is None and LTI + "context" in claims):
        return None
    return LookUp(subject=subject, context=context, link=link)


def _id_of(claims: Mapping[str, Any], name: str) -> str | None:
    said = claims.get(LTI + name)
    return opaque_id(said.get("id")) if isinstance(said, Mapping) else None
