"""A secret is rotated: what is wrapped by an older one of SECRET_KEYS is wrapped anew, while everything runs.

Each feature says which columns of its tables the ring wraps (`Wrapped`). Nothing is decrypted but keys, and mail that
waits to be sent; a batch is one transaction, so a killed run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server import mail
from lti_server.db import Database
from lti_server.errors import ConfigurationError
from lti_server.ids import DistrictId
from lti_server.mail import mail_message
from lti_server.privacy.crypto import KEY_ID_BYTES, KeyRing
from lti_server.privacy.tables import district, document_key, instance_key

BATCH = 200
Place = Callable[[sa.Row[Any]], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A column that the ring wraps: for which purpose, and to which place each row's ciphertext is bound.

    `by_district`: the table is behind row-level security; rows of no district are the operator's.
    """

    table: sa.Table
    column: str
    purpose: str
    place: Place
    by_district: bool

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many rows of one column each secret wraps, the current one first; `unreadable` by none of them."""

    name: str
    by_secret: tuple[int, ...]
    unreadable: int

    @property
    def older(self) -> int:
        return sum(self.by_secret[1:])


def _kid(row: sa.Row[Any]) -> bytes:
    return str(row.kid).encode()


def _id(row: sa.Row[Any]) -> bytes:
    return bytes(row.id.bytes)


# Those of this package, and of the mail's table, which knows no keys.
WRAPPED = (
    Wrapped(
        table=instance_key, column="wrapped", purpose="instance", place=lambda row: str(row.purpose).encode(),
        by_district=False,
    ),
    Wrapped(table=district, column="data_key", purpose="data_key", place=_id, by_district=True),
    Wrapped(table=district, column="pepper", purpose="pepper", place=_id, by_district=True),
    Wrapped(table=document_key, column="wrapped_private", purpose="document_key", place=_kid, by_district=False),
    Wrapped(
        table=mail_message, column="sealed", purpose=mail.PURPOSE,
        place=lambda row: mail.place(row.district_id, row.id), by_district=True,
    ),
)  # fmt: skip


class Rewrap:
    """Run it as often as wanted: it changes nothing once all is under the current secret."""

    def __init__(self, database: Database, ring: KeyRing, columns: Sequence[Wrapped]) -> None:
        self._database = database
        self._ring = ring
        self._columns = columns

    def standing(self) -> list[Standing]:
        """What is under which secret, column by column."""
        counts = {one.name: [0] * (self._ring.size + 1) for one in self._columns}
        for district_id, scope in self._scopes():
            with scope as connection:
                for one in self._in(district_id):
                    for key_id, rows in connection.execute(_counted(one)):
                        counts[one.name][self._ring.position(one.purpose, bytes(key_id), -1)] += rows
        return [
            Standing(name=name, by_secret=tuple(found[:-1]), unreadable=found[-1]) for name, found in counts.items()
        ]

    def __call__(self) -> dict[str, int]:
        """Wrap anew what an older secret wrapped; how many rows of each column that were.

        Rows that somebody holds at the moment (mail on its way) come last, and are waited for.
        """
        done = {one.name: 0 for one in self._columns}
        for patient in (False, True):
            for district_id, _ in self._scopes():
                for one in self._in(district_id):
                    done[one.name] += self._column(one, district_id, patient)
        return done

    def _column(self, one: Wrapped, district_id: DistrictId | None, patient: bool) -> int:
        done, changed = 0, 1
        while changed:
            with self._scope(district_id) as connection:
                changed = self._batch(connection, one, patient)
            done += changed
        return done

    def _batch(self, connection: Connection, one: Wrapped, patient: bool) -> int:
        """How many rows were wrapped anew; none where there are none, or none that can be opened."""
        column = one.table.c[one.column]
        older = self._ring.key_ids(one.purpose)[1:]
        select = sa.select(one.table).where(sa.func.substring(column, 1, KEY_ID_BYTES).in_(older)).limit(BATCH)
        changed = 0
        # NO KEY: whoever adds rows that point at this one is not held up.
        for row in connection.execute(select.with_for_update(key_share=True, skip_locked=not patient)).all():
            try:
                anew = self._ring.rewrapped(one.purpose, one.place(row), bytes(row._mapping[column]))
            except ConfigurationError:
                continue  # it was moved here from another row, or damaged: `standing` goes on telling
            keys = [key == row._mapping[key] for key in one.table.primary_key.columns]
            connection.execute(sa.update(one.table).where(*keys).values({column: anew}))
            changed += 1
        return changed

    def _in(self, district_id: DistrictId | None) -> Iterator[Wrapped]:
        """The columns that are to be looked at within a district, or where none is entered."""
        return (one for one in self._columns if district_id is None or one.by_district)

    def _scopes(self) -> list[tuple[DistrictId | None, AbstractContextManager[Connection]]]:
        with self._database.anyone() as connection:
            ids: list[UUID] = list(connection.execute(sa.text("SELECT district_ids()")).scalars())
        every: list[DistrictId | None] = [None, *map(DistrictId, ids)]
        return [(one, self._scope(one)) for one in every]

    def _scope(self, district_id: DistrictId | None) -> AbstractContextManager[Connection]:
        return self._database.anyone() if district_id is None else self._database.tenant(district_id)


def _counted(one: Wrapped) -> sa.Select[bytes, int]:
    """Rows by the id of the key that wrapped them; what was destroyed, or sent, is empty and does not count."""
    column = one.table.c[one.column]
    key_id = sa.func.substring(column, 1, KEY_ID_BYTES)
    return sa.select(key_id, sa.func.count()).where(sa.func.length(column) > 0).group_by(key_id)
