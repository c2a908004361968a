"""Verifying the log, and checkpoints that hold it to its past from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import Conflict, InvalidInput
from lti_server.ids import Clock, DistrictId
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.log_chain import Entry, Head, Link, Verdict, verify
from lti_server.privacy.log_sealer import SealLog
from lti_server.privacy.signed_documents import Checked, Kind, checked, public_keys
from lti_server.privacy.tables import log_entry, log_link, log_pending

CHECKPOINT = Kind(name="log-checkpoint", version=1, members=frozenset({"chains"}))
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed file, and what was found as it was made."""

    file: bytes
    verdicts: tuple[Verdict, ...]


class Audit:
    """Reads whole logs, one district at a time; it needs no key of a district and sees nothing that is sealed."""

    def __init__(self, database: Database, clock: Clock, keys: DocumentKeys) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys

    def districts(self) -> list[DistrictId]:
        """Every district of this installation, oldest first."""
        with self._database.anyone() as connection:
            return [DistrictId(one) for one in connection.execute(sa.text("SELECT district_ids()")).scalars()]

    def verify(
        self, districts: Sequence[DistrictId], checkpoints: Mapping[UUID, Sequence[Head]] | None = None
    ) -> list[Verdict]:
        """What is wrong with these logs, held against checkpoints; one of a district that is gone is a fault."""
        kept = dict(checkpoints or {})
        found = []
        for district_id in districts:
            with self._database.tenant(district_id) as connection:
                found.append(verify(district_id, _rows(connection), kept.pop(district_id, ())))
        found += [verify(gone, (), heads) for gone, heads in kept.items()]
        return found

    def checkpoint(self, districts: Sequence[DistrictId]) -> Checkpoint:
        """Seal what waits, verify, and sign how far each chain has come.

        Raises:
            Conflict: a log is not whole. A checkpoint of it would vouch for what was done to it.
        """
        for district_id in districts:
            SealLog(self._database, self._clock).district(district_id, wait=True)
        verdicts = self.verify(districts)
        if not all(verdict.ok for verdict in verdicts):
            raise Conflict("The log is not whole, so it is not vouched for. `lti-server audit verify` says where.")
        chains = [
            {"district": str(one.district), "sealed": one.head.sealed, "head": one.head.hash.hex()} for one in verdicts
        ]
        only = districts[0] if len(districts) == 1 else None
        with self._database.anyone() as connection:
            file = self._keys.sign(connection, CHECKPOINT, {"chains": chains}, district_id=only, at=self._clock.now())
        return Checkpoint(file=file, verdicts=tuple(verdicts))

    def read_checkpoint(self, file: bytes) -> dict[UUID, list[Head]]:
        """The chains of a checkpoint of this installation.

        Raises:
            InvalidInput: it is no checkpoint, was changed, or is another installation's.
        """
        return heads_of(checked(file, public_keys(self._keys.public_jwks())))


def heads_of(said: Checked) -> dict[UUID, list[Head]]:
    """The chains that a checkpoint vouches for.

    Raises:
        InvalidInput: it is another kind of document.
    """
    if (said.kind, said.version) != (CHECKPOINT.name, CHECKPOINT.version):
        raise InvalidInput("The file is signed, and is no checkpoint of the log. Check it with --receipt.")
    found: dict[UUID, list[Head]] = {}
    for one in said.body["chains"]:
        head = Head(sealed=int(one["sealed"]), hash=bytes.fromhex(one["head"]))
        found.setdefault(UUID(one["district"]), []).append(head)
    return found


def _rows(connection: Connection) -> Iterator[tuple[Link | None, Entry | None]]:
    """The chain in its order, then what is not in it, as of one moment: it is one statement."""
    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    both = log_link.join(log_entry, log_entry.c.id == log_link.c.entry_id, full=True)
    statement = (
        sa.select(
            log_link.c.position, log_link.c.entry_id, log_link.c.sealed_at, log_link.c.hash,
            sa.exists().where(log_pending.c.entry_id == log_entry.c.id).label("waits"),
            *(column.label(f"e_{column.name}") for column in log_entry.c),
        )
        .select_from(both)
        .order_by(log_link.c.position.nulls_last(), log_entry.c.id)
        .execution_options(yield_per=AT_ONCE)
    )  # fmt: skip
    for row in connection.execute(statement):
        yield _link(row), _entry(row)


def _link(row: sa.Row[Any]) -> Link | None:
    if row.position is None:
        return None
    return Link(position=row.position, entry_id=row.entry_id, sealed_at=row.sealed_at, hash=bytes(row.hash))


def _entry(row: sa.Row[Any]) -> Entry | None:
    if row.e_id is None:
        return None
    columns = {
        "district": row.e_district_id, "at": row.e_at, "actor": row.e_actor, "act": row.e_act,
        "decision": row.e_decision, "purpose": row.e_purpose, "object_id": row.e_object_id, "elements": row.e_elements,
        "payload": bytes(row.e_payload), "population": row.e_population, "interest": row.e_interest,
    }  # fmt: skip
    return Entry(id=row.e_id, columns=columns, leaf=bytes(row.e_leaf_hash), waits=row.waits)


def in_words(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What `audit verify` answers (design 6.2): counts over all logs, and the first thing that is wrong."""
    bad = [
        {"district": str(one.district), "position": at.position, "entry": at.entry, "fault": at.fault.value}
        for one in verdicts
        for at in one.faults
    ]
    return {
        "ok": all(one.ok for one in verdicts),
        "entries": sum(one.entries for one in verdicts),
        "unsealed": sum(one.unsealed for one in verdicts),
        "first_bad": bad[0] if bad else None,
        "faults": bad,
        "fault_count": sum(one.fault_count for one in verdicts),
        "districts": [
            {
                "district": str(one.district), "ok": one.ok, "entries": one.entries, "sealed": one.head.sealed,
                "unsealed": one.unsealed, "head": one.head.hash.hex(),
            }
            for one in verdicts
        ],
    }  # fmt: skip
