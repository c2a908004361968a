"""The data privacy launch: what is kept of whom, for an administrator or for the reader (LTI data privacy launch).

Nothing about the reader is kept of it, and no record of any person is read: the page tells categories by contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import LaunchRejected, NotFound
from lti_server.ids import Clock, DistrictId
from lti_server.lti import store
from lti_server.lti.claims import LTI, locale_of, roles_of
from lti_server.lti.launches import used_before
from lti_server.lti.messages import PURPOSE, Message
from lti_server.lti.roles import is_administrator
from lti_server.privacy import contract_file, contracts, log
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.districts import District

ACT = "data-privacy"
PAGE_LIFE_S = 3_600
LONGEST_TOKEN = 1_024
OFFICE = "data_steward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom the page is: of which district, and whether it speaks to an administrator. Nobody's id."""

    district_id: DistrictId
    administrator: bool
    locale: str


class ReaderTokens:
    """Makes and reads the page's address; signed, so that it needs no row and no cookie."""

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        # itsdangerous signs with the last key of the list; the ring's first is the current one.
        keys = list(reversed(ring.signing_keys("data-privacy")))
        self._serializer = URLSafeSerializer(
            keys, salt="data-privacy", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
        self._clock = clock

    def issue(self, reader: Reader) -> str:
        """Good for an hour."""
        until = int(self._clock.now().timestamp()) + PAGE_LIFE_S
        said = [str(reader.district_id), reader.administrator, reader.locale, until]
        return str(self._serializer.dumps(said))

    def read(self, text: str) -> Reader:
        """The reader whom a token was made for.

        Raises:
            NotFound: forged, cut or too old; the answer is the same.
        """
        try:
            district_id, administrator, locale, until = self._serializer.loads(text[:LONGEST_TOKEN])
        except (BadData, ValueError) as error:
            raise _not_here() from error
        if until < self._clock.now().timestamp():
            raise _not_here()
        return Reader(district_id=DistrictId(UUID(district_id)), administrator=administrator, locale=locale)


class OpenDataPrivacy:
    """The handler of data privacy launches. They have neither a course nor a link."""

    def __init__(self, tokens: ReaderTokens, base_url: str) -> None:
        self._tokens = tokens
        self._base_url = base_url

    def __call__(self, connection: Connection, message: Message) -> str:
        """Send the reader to the page that is for them.

        Raises:
            LaunchRejected: `malformed-claim`, `about-another`, `used-before`.
        """
        standing, claims = message.standing, message.claims
        administrator = is_administrator(roles_of(claims))
        about = _for_user(claims)
        if about is not None and about != claims.get("sub") and not administrator:
            raise LaunchRejected(
                "about-another", "Only an administrator may ask what is kept of somebody else. Open your own page."
            )
        if not store.spend_nonce(connection, standing, message.nonce_hash, message.nonce_until):
            raise used_before()
        entry = log.entry(
            standing.keys, at=message.now, actor=f"registration:{standing.registration_id}", act=ACT,
            decision="allowed", purpose=PURPOSE,
            payload={"registration": str(standing.registration_id), "administrator": administrator},
        )  # fmt: skip
        log.record(connection, entry)
        reader = Reader(
            district_id=standing.district_id, administrator=administrator, locale=locale_of(claims) or standing.locale
        )
        return f"{self._base_url}/lti/data-privacy?reader={self._tokens.issue(reader)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a contract in force lets be kept. `elements` by id, with days of retention where it says any."""

    district: str
    elements: Mapping[str, int | None]
    educator_elements: frozenset[str]
    subprocessors: tuple[str, ...]
    offices: tuple[tuple[str, str], ...]
    valid_to: date | None


class KeptData:
    """Reads what a district's contract says, at the moment of asking."""

    def __init__(self, database: Database, district: Callable[[Connection], District], clock: Clock) -> None:
        self._database = database
        self._district = district
        self._clock = clock

    def __call__(self, district_id: DistrictId) -> Kept:
        """The contract in force; without one, nothing may be kept. Offices are those that its reports name."""
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            signed = contracts.versions(connection, district.zone, self._clock.now())
        document = next((one.document for one in signed if one.state == "in_force"), None)
        if document is None:
            return Kept(
                district=district.name, elements={}, educator_elements=frozenset(), subprocessors=(), offices=(),
                valid_to=None,
            )  # fmt: skip
        contract = contract_file.parse(document)
        stored = {name: terms.retain_days for name, terms in contract.elements.items() if terms.store}
        return Kept(
            district=district.name,
            elements=stored,
            educator_elements=contract.educator_elements,
            subprocessors=tuple(str(one.get("name", "")) for one in contract.subprocessors),
            offices=_offices(contract.reports),
            valid_to=contract.valid_to,
        )


def _offices(reports: tuple[Mapping[str, object], ...]) -> tuple[tuple[str, str], ...]:
    """Names and addresses of the data offices, each once."""
    found: dict[tuple[str, str], None] = {}
    for report in reports:
        recipients = report.get("recipients")
        for one in recipients if isinstance(recipients, list) else ():
            if isinstance(one, Mapping) and one.get("role") == OFFICE:
                found[(str(one.get("name", "")), str(one.get("email", "")))] = None
    return tuple(found)


def _for_user(claims: Mapping[str, Any]) -> str | None:
    """Whom the launch is about. Platforms are to say it, and some leave it out: then it is about the reader."""
    said = claims.get(LTI + "for_user")
    if said is None:
        return None
    about = said.get("user_id") if isinstance(said, Mapping) else None
    if not isinstance(about, str) or not about:
        raise LaunchRejected(
            "malformed-claim", "The launch says something in a form that LTI does not allow: for_user."
        )
    return about


def _not_here() -> NotFound:
    return NotFound("Open the page again from your LMS.")
