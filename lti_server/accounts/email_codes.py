"""One-time codes by e-mail: asked for in a browser, typed into the same one, good once and for ten minutes.

The page answers alike whether an address is known or not: one letter leaves each time, and what it says is for whoever
reads the mail of that address. At rest an address is a keyed hash; the letter is never queued (A-08, A-09).
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.email_tables import email_code
from lti_server.accounts.model import Known, Subject, spelt
from lti_server.errors import InvalidInput, TooManyRequests
from lti_server.ids import GrantId, new_id
from lti_server.mail import Message
from lti_server.privacy.ages import Age
from lti_server.privacy.crypto import DistrictKeys, new_token
from lti_server.privacy.own_terms import EMAIL, Agreed

CODE_LIFE = timedelta(minutes=10)
KEPT_FOR = timedelta(hours=1)
"""For so long it is known how often a code was asked for."""
DIGITS, MOST_ATTEMPTS = 8, 5
PER_ADDRESS, PER_BROWSER = 5, 12
LONGEST_ADDRESS, LONGEST_NAME = 254, 60
# RFC 5321 without quoting, comments and lists: one address, and never two.
_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*")


class Way(StrEnum):
    """What a code is asked for."""

    REGISTER = "register"
    SIGN_IN = "sign_in"
    RECOVER = "recover"


class Letter(StrEnum):
    """What a letter says."""

    REGISTER = "register"
    KNOWN_ALREADY = "known already"
    CODE = "code"
    NOBODY = "nobody"


Writes = Callable[[Letter, str], tuple[str, str]]
"""Subject and text of a letter with a code, in the language of whoever asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What somebody says who registers. `address` is empty of a child: then its hash alone is known."""

    name: str = field(repr=False)
    age: Age = field(repr=False)
    address: str = field(default="", repr=False)
    agreed: Agreed | None = None

    def text(self) -> str:
        agreed = None if self.agreed is None else self.agreed.plain()
        return json.dumps({"name": self.name, "age": self.age.text(), "address": self.address, "agreed": agreed})

    @classmethod
    def read(cls, text: str) -> Newcomer:
        said = json.loads(text)
        agreed = None if said.get("agreed") is None else Agreed(**said["agreed"])
        return cls(name=said["name"], age=Age.read(said["age"]), address=said["address"], agreed=agreed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """A code that was typed right, and what it was asked for."""

    way: Way
    address_hash: bytes = field(repr=False)
    newcomer: Newcomer | None = field(repr=False)


def one_address(text: str) -> str:
    """An e-mail address as it is compared: without spaces around it, in small letters (A-13).

    Raises:
        InvalidInput: it is none; the error does not repeat it.
    """
    found = spelt("email", text)
    if len(found) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(found):
        raise InvalidInput("Type one e-mail address, such as name@example.org.")
    return found


def subject_of(address_hash: bytes) -> Subject:
    """Who somebody is who signs in by a code: the keyed hash of their address."""
    return Subject(provider=EMAIL, issuer=EMAIL, client_id="", subject=address_hash.hex())


def known_by(connection: Connection, keys: DistrictKeys, address_hash: bytes, grant_id: GrantId) -> Known | None:
    """The person of an address in the entered district."""
    hashed = people.subject_hash(keys, subject_of(address_hash))
    return people.find(connection, [hashed], grant_id).get(hashed)


def issue(
    connection: Connection, keys: DistrictKeys, *, way: Way, browser: str, address_hash: bytes,
    newcomer: Newcomer | None, opens: bool, now: datetime,
) -> str:  # fmt: skip
    """A new code; the former one of this browser is over.

    Where it `opens` nothing it is no code: the row is there all the same, and nothing typed fits it.
    """
    connection.execute(_CLOSE, {"browser": _browser(keys, browser), "now": now})
    row_id, code = new_id(), "".join(secrets.choice("0123456789") for _ in range(DIGITS))
    sealed = None if newcomer is None else keys.seal("email_code", "sealed", row_id, newcomer.text())
    connection.execute(
        email_code.insert().values(
            id=row_id, district_id=keys.district_id, way=way.value, browser_hash=_browser(keys, browser),
            address_hash=address_hash, code_hash=_hashed(keys, row_id, code if opens else new_token()), sealed=sealed,
            created_at=now, open_until=now + CODE_LIFE, expires_at=now + KEPT_FOR,
        )
    )  # fmt: skip
    return code


def hold_back(connection: Connection, keys: DistrictKeys, browser: str, address_hash: bytes, now: datetime) -> None:
    """Let nobody ask without end, whether an address is known or not.

    Raises:
        TooManyRequests: for this address, or from this browser, codes were asked for too often within an hour.
    """
    c = email_code.c
    counts = sa.select(
        sa.func.count().filter(c.address_hash == address_hash),
        sa.func.count().filter(c.browser_hash == _browser(keys, browser)),
    ).where(c.created_at > now - KEPT_FOR)
    of_address, of_browser = connection.execute(counts).one()
    if of_address >= PER_ADDRESS or of_browser >= PER_BROWSER:
        raise TooManyRequests("Too many codes were asked for. Wait an hour, then try again.", retry_after_s=3600)


def redeem(connection: Connection, keys: DistrictKeys, browser: str, code: str, now: datetime) -> Redeemed | int | None:
    """What the code of a browser opens, once. A number: it was wrong, and so many attempts are left.

    None where no code is open in this browser. The caller commits, whatever the answer is: an attempt counts.
    """
    row = connection.execute(
        _TRY, {"browser": _browser(keys, browser), "now": now, "most": MOST_ATTEMPTS}
    ).one_or_none()
    if row is None:
        return None
    if not hmac.compare_digest(bytes(row.code_hash), _hashed(keys, row.id, "".join(filter(str.isdigit, code)))):
        return MOST_ATTEMPTS - int(row.attempts)
    sealed = None if row.sealed is None else keys.open("email_code", "sealed", row.id, bytes(row.sealed))
    connection.execute(_USE, {"id": row.id, "now": now})
    return Redeemed(
        way=Way(row.way), address_hash=bytes(row.address_hash),
        newcomer=None if sealed is None else Newcomer.read(sealed),
    )  # fmt: skip


def letter_for(way: Way, *, known: bool) -> Letter:
    """What to write to an address."""
    if not known:
        return Letter.REGISTER if way is Way.REGISTER else Letter.NOBODY
    return Letter.KNOWN_ALREADY if way is Way.REGISTER else Letter.CODE


def letter(to: str, kind: Letter, code: str, writes: Writes) -> Message:
    subject, text = writes(kind, code)
    return Message(to=to, subject=subject, text=text)


def _browser(keys: DistrictKeys, browser: str) -> bytes:
    return keys.lookup("email code browser", browser)


def _hashed(keys: DistrictKeys, row_id: UUID, code: str) -> bytes:
    return keys.lookup("email code", f"{row_id}|{code}")


# One code is open in a browser: with another letter the former one's is over.
_CLOSE = sa.text("UPDATE email_code SET open_until = :now WHERE browser_hash = :browser AND open_until > :now")
# Whoever tries at the same moment waits, and is counted.
_TRY = sa.text(
    "UPDATE email_code SET attempts = attempts + 1 WHERE browser_hash = :browser AND used_at IS NULL"
    " AND open_until > :now AND attempts < :most RETURNING id, way, address_hash, code_hash, sealed, attempts"
)
_USE = sa.text("UPDATE email_code SET used_at = :now, sealed = NULL WHERE id = :id")
