"""The tenant: a district, its keys, and how it is found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter, enter_by, open_door
from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.ids import DistrictId, new_id
from lti_server.privacy import crypto
from lti_server.privacy.crypto import DistrictKeys, KeyRing
from lti_server.privacy.tables import district as table
from lti_server.privacy.tables import instance_key
from lti_server.statements import Statement

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
LOCALES = ("en", "fr")
# What the slug of a tenant of people who register themselves begins with (privacy/own_terms.py).
RESERVED = "public-"


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """A district as the server needs it: `timezone` is an IANA name, `country` ISO 3166-1 alpha-2."""

    id: DistrictId
    slug: str
    name: str
    timezone: str
    country: str
    locale: str
    keys: DistrictKeys

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def directory_key(connection: Connection, ring: KeyRing, now: datetime) -> bytes:
    """The installation's key for hashes in the directory; made once, wrapped by the ring, never changed."""
    select = sa.select(instance_key.c.wrapped).where(instance_key.c.purpose == "directory")
    wrapped = connection.execute(select).scalar_one_or_none()
    if wrapped is None:
        made = ring.wrap("instance", b"directory", crypto.new_token().encode())
        connection.execute(
            sa.text(
                "INSERT INTO instance_key (purpose, wrapped, created_at) VALUES ('directory', :wrapped, :now)"
                " ON CONFLICT DO NOTHING"
            ),
            {"wrapped": made, "now": now},
        )
        wrapped = connection.execute(select).scalar_one()
    return ring.unwrap("instance", b"directory", bytes(wrapped))


def create(
    connection: Connection,
    ring: KeyRing,
    *,
    slug: str,
    name: str,
    timezone: str,
    country: str,
    locale: str,
    slug_key: bytes,
    now: datetime,
    reserved: bool = False,
) -> District:
    """A new district with keys of its own; the connection is in its tenant afterwards.

    `reserved`: it is none of a school system, but one of people who register themselves.

    Raises:
        InvalidInput: every field that is not as it must be.
        Conflict: the slug is taken.
    """
    faults = _faults(slug, name, timezone, country, locale)
    if slug.startswith(RESERVED) is not reserved:
        faults.append(("/slug", f"A slug that begins with {RESERVED} is for people who register themselves."))
    if faults:
        raise InvalidInput.listing("The district was not added.", faults)
    district_id = DistrictId(new_id())
    keys = DistrictKeys.made(district_id)
    data_key, pepper = keys.wrapped_by(ring)
    enter(connection, district_id)
    if not open_door(connection, Door.DISTRICT, slug_key, district_id):
        raise Conflict(f"There is a district with the slug {slug} already. Choose another slug.")
    connection.execute(
        table.insert().values(
            id=district_id, slug=slug, name=name, timezone=timezone, country=country, locale=locale,
            data_key=data_key, pepper=pepper, created_at=now,
        )
    )  # fmt: skip
    return District(id=district_id, slug=slug, name=name, timezone=timezone, country=country, locale=locale, keys=keys)


def _faults(slug: str, name: str, timezone: str, country: str, locale: str) -> list[tuple[str, str]]:
    faults = []
    if not SLUG.fullmatch(slug):
        faults.append(("/slug", "Use 1 to 63 small letters, digits and inner hyphens, such as north-valley."))
    if not name.strip() or len(name) > 200:
        faults.append(("/name", "Give a name of 1 to 200 characters."))
    if timezone not in available_timezones():
        faults.append(("/timezone", "Use a name of the IANA database, such as Europe/Paris."))
    if not re.fullmatch(r"[A-Z]{2}", country):
        faults.append(("/country", "Use two capital letters of ISO 3166-1, such as US or FR."))
    if locale not in LOCALES:
        faults.append(("/locale", f"Use one of {', '.join(LOCALES)}."))
    return faults


def current(connection: Connection, ring: KeyRing) -> District:
    """The district that the transaction has entered.

    Raises:
        NotFound: none is entered, or it is gone.
    """
    row = _CURRENT.one(connection, {})
    if row is None:
        raise NotFound("There is no such district. `lti-server district list` shows those there are.")
    return read(ring, row)


def read(ring: KeyRing, columns: Sequence[Any]) -> District:
    """A district from its row, in the order of `COLUMNS`."""
    district_id, slug, name, timezone, country, locale, data_key, pepper = columns
    return District(
        id=DistrictId(district_id), slug=slug, name=name, timezone=timezone, country=country, locale=locale,
        keys=crypto.opened(ring, DistrictId(district_id), data_key, pepper),
    )  # fmt: skip


def by_slug(database: Database, ring: KeyRing, slug: str, slug_key: bytes) -> District:
    """The district of a slug.

    Raises:
        NotFound: there is none.
    """
    with database.anyone() as connection:
        if enter_by(connection, Door.DISTRICT, slug_key) is None:
            raise NotFound(
                f"There is no district with the slug {slug}. `lti-server district list` shows those there are."
            )
        return current(connection, ring)


def every(database: Database, ring: KeyRing) -> list[District]:
    """All districts, oldest first, each read in its own tenant (operator's lists and scheduled work)."""
    with database.anyone() as connection:
        ids = list(connection.execute(sa.text("SELECT district_ids()")).scalars())
    found = []
    for district_id in ids:
        with database.tenant(DistrictId(district_id)) as connection:
            found.append(current(connection, ring))
    return found


COLUMNS = "id, slug, name, timezone, country, locale, data_key, pepper"
_CURRENT = Statement(f"SELECT {COLUMNS} FROM district")  # noqa: S608 - names of columns
