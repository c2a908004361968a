"""The promise of confidence: nobody comes in as staff without having given it, in words they read (A-47).

A promise is a row that is added and never changed: who came by which invitation, when, the hash of the words in the
language that was read, and until when it holds. It ends with the session that it opens, so whoever comes in again
promises again; and once the words change, a session that promised the old ones opens nothing until it promises anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.permissions import StaffRole
from lti_server.accounts.tables import confidence_promise
from lti_server.ids import DistrictId, SessionId, new_id
from lti_server.privacy import log
from lti_server.privacy.crypto import DistrictKeys
from lti_server.web.languages import N_, NAMES, spoken

WORDS: tuple[str, ...] = (
    N_("I look at data about people only where my task here needs it."),
    N_("What I learn of anybody I tell only those who may know it by the district's contract or by law."),
    N_("I take no data away but as my task needs, and I use none for myself or for anybody else."),
    N_("When data may have come into wrong hands, I tell the district's data office at once."),
    N_("All this binds me when my task is over, too."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The words in one language, and their hash, which is what is kept of them."""

    locale: str
    words: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        return hashlib.sha256("\n".join(self.words).encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """Who promises: a session of staff. Nobody's name is known, but which invitation they came by."""

    session_id: SessionId
    invitation_id: UUID
    role: StaffRole
    district_id: DistrictId | None
    expires_at: datetime


def promise_in(locale: str) -> Promise:
    """The words as they are read in a language."""
    said = spoken(locale)
    return Promise(locale=locale, words=tuple(said(one) for one in WORDS))


def promise_of(digest: str) -> Promise | None:
    """The promise that a form names by the hash of its words; None where they are not, or no longer, the words."""
    return next((one for one in map(promise_in, NAMES) if one.digest.hex() == digest), None)


def current() -> Sequence[bytes]:
    """The hashes of the words as they are now, in each language."""
    return [promise_in(locale).digest for locale in NAMES]


def give(connection: Connection, giver: Giver, promise: Promise, keys: DistrictKeys | None, *, at: datetime) -> None:
    """Keep a promise, and put it into the log of its district; an operator's has no district, and no log."""
    connection.execute(
        confidence_promise.insert().values(
            id=new_id(), district_id=giver.district_id, session_id=giver.session_id,
            invitation_id=giver.invitation_id, role=giver.role.value, text_hash=promise.digest,
            locale=promise.locale, promised_at=at, expires_at=giver.expires_at,
        )
    )  # fmt: skip
    if keys is not None:
        log.record(connection, _entry(keys, giver, promise, at))


def stands(connection: Connection, session_id: SessionId, now: datetime) -> bool:
    """Whether a session has promised the words as they are now, and its promise has not run out."""
    p = confidence_promise.c
    wanted = sa.select(sa.literal(1)).where(p.session_id == session_id, p.text_hash.in_(current()), p.expires_at > now)
    return connection.execute(wanted.limit(1)).scalar_one_or_none() is not None


def invitation_of(connection: Connection, session_id: SessionId) -> UUID:
    """By which invitation a session came that has promised."""
    p = confidence_promise.c
    wanted = sa.select(p.invitation_id).where(p.session_id == session_id).order_by(p.promised_at.desc()).limit(1)
    return UUID(str(connection.execute(wanted).scalar_one()))


def _entry(keys: DistrictKeys, giver: Giver, promise: Promise, at: datetime) -> Mapping[str, object]:
    said = {
        "invitation": str(giver.invitation_id), "role": giver.role.value, "words": promise.digest.hex(),
        "locale": promise.locale, "until": giver.expires_at.isoformat(),
    }  # fmt: skip
    return log.entry(
        keys, at=at, actor=f"session:{giver.session_id}", act="confidence promise", decision="allowed",
        purpose="operation", payload=said,
    )  # fmt: skip
