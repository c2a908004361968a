"""Blocks: a guardian's no to collecting anything of a child, obeyed alike at every door (A-65).

A block is a set of keyed hashes of the ids and e-mails by which the child may come. A door asks with the hashes of what
it was told, before anything is kept; whoever is blocked is not told of, and opens lessons without an account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.model import Subject, spelt
from lti_server.accounts.store import lock_making, subject_hash
from lti_server.accounts.tables import block, block_alias
from lti_server.db import Database
from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, PersonId, new_id
from lti_server.privacy import log
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind

_SUBJECTS = frozenset({"sub", "user_id"})
_LOCAL_IDS = frozenset({"lis.person_sourcedid", "lis_person_sourcedid", "sis_id", "local_id"})
_ISSUERS = sa.text("SELECT DISTINCT provider, issuer, client_id FROM identity")
_PEOPLE = sa.text(
    "SELECT p.id, p.kind FROM person p WHERE p.key_destroyed_at IS NULL AND ("
    "EXISTS (SELECT FROM identity i WHERE i.person_id = p.id AND i.subject_hash = ANY(:hashes)"
    " AND (:provider = '' OR i.provider = :provider))"
    " OR EXISTS (SELECT FROM person_field f WHERE f.person_id = p.id AND f.lookup = ANY(:hashes)))"
)
_ALIASES = sa.text(
    "SELECT subject_hash FROM identity WHERE person_id = :person"
    " UNION SELECT lookup FROM person_field WHERE person_id = :person AND lookup IS NOT NULL"
)
_IDENTITIES = sa.text("SELECT id, subject FROM identity WHERE person_id = :person AND subject IS NOT NULL")
_KEY = sa.text("SELECT kind, wrapped_key FROM person WHERE id = :person")
_END_IDENTITIES = sa.text(
    "UPDATE identity SET ended_at = :at WHERE person_id = :person AND ended_at IS NULL"
    " AND (:provider = '' OR provider = :provider)"
)
_AGAIN = sa.text(
    "UPDATE identity i SET ended_at = NULL WHERE person_id = :person AND ended_at = :at AND NOT EXISTS ("
    "SELECT FROM identity o WHERE o.ended_at IS NULL AND o.issuer = i.issuer AND o.client_id = i.client_id"
    " AND o.subject_hash = i.subject_hash)"
)
_BLOCKED = sa.text("SELECT hash FROM block_alias WHERE hash = ANY(:hashes) AND provider IN ('', :provider)")

Stops = Callable[[Connection, PersonId, datetime], None]
"""Ends what is under way of somebody: sessions, memberships."""


def candidates(keys: DistrictKeys, said: Mapping[str, object], identity: bytes | None = None) -> list[bytes]:
    """The hashes of everything by which somebody might be blocked, of what a door was told. Nothing is kept of it."""
    found = [] if identity is None else [identity]
    for name, value in said.items():
        # JSON can carry half of a surrogate pair, which is no text; what is left of the value still says who it is.
        said_text = value.encode(errors="ignore").decode() if isinstance(value, str) else ""
        text = said_text.replace("\x00", "").strip()
        if not text:
            continue
        if name in _SUBJECTS:
            found.append(of_subject(keys, text))
        elif name in _LOCAL_IDS:
            found.append(keys.lookup("local_id", text))
        elif name == "email":
            found.append(keys.lookup("email", spelt("email", text)))
    return found


def of_subject(keys: DistrictKeys, source_id: str) -> bytes:
    """An id of a provider's own, whichever of its issuers says it."""
    return keys.lookup("blocked subject", source_id)


def blocked(connection: Connection, provider: str, hashes: Iterable[bytes]) -> set[bytes]:
    """Those of these hashes that are blocked at this provider, in one statement however many there are."""
    wanted = list(hashes)
    if not wanted:
        return set()
    return {bytes(one) for one in connection.execute(_BLOCKED, {"hashes": wanted, "provider": provider}).scalars()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block as the operator sees it: nothing by which the child could be named."""

    id: UUID
    provider: str
    person_id: PersonId | None
    made_at: datetime
    aliases: int
    fresh: bool = field(default=True)

    def plain(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "provider": self.provider or None, "person": str(self.person_id or "") or None,
            "made_at": self.made_at.astimezone(UTC).isoformat().replace("+00:00", "Z"), "aliases": self.aliases,
        }  # fmt: skip


class Blocks:
    """Makes blocks and lifts them. What is kept already is not touched: that is an erasure."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        stops: Stops,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._stops = stops
        self._journal = journal
        self._clock = clock

    def of_id(self, district_id: DistrictId, source_id: str, *, provider: str, by: str) -> Block:
        """Block whoever a school's system calls so; every id and e-mail that is known of them is blocked, too.

        Raises:
            InvalidInput: the id is empty.
            Conflict: the id is that of several people, or of somebody who teaches.
        """
        source_id = source_id.strip()
        if not source_id:
            raise InvalidInput("Give the id by which the school's system calls the pupil.")
        with self._database.tenant(district_id) as connection:
            lock_making(connection)
            keys = self._district(connection).keys
            subjects = [
                subject_hash(
                    keys,
                    Subject(provider=row.provider, issuer=row.issuer, client_id=row.client_id, subject=source_id),
                )
                for row in connection.execute(_ISSUERS)
            ]
            own = {of_subject(keys, source_id), keys.lookup("local_id", source_id)}
            values = {"hashes": [*subjects, *own], "provider": provider}
            found = connection.execute(_PEOPLE, values).all()
            if len(found) > 1:
                raise Conflict(
                    "Several people have this id, one in each of two systems. Name the provider with --provider, or "
                    "the person with --person."
                )
            if not found:
                return self._put(connection, keys, None, own, provider=provider, by=by)
            return self._of_person(connection, keys, PersonId(found[0].id), provider=provider, by=by)

    def of_person(self, district_id: DistrictId, person_id: PersonId, *, provider: str = "", by: str) -> Block:
        """Block somebody who is known here, under everything by which they may come.

        Raises:
            NotFound: there is no such person, or they were erased.
            Conflict: it is somebody who teaches.
        """
        with self._database.tenant(district_id) as connection:
            lock_making(connection)
            return self._of_person(connection, self._district(connection).keys, person_id, provider=provider, by=by)

    def lift(self, district_id: DistrictId, block_id: UUID, *, by: str, reason: str) -> None:
        """End a block: only a guardian may, so somebody says that one did. Those who were known come back as they were.

        Raises:
            InvalidInput: no reason is given.
            NotFound: there is no such block, or it was lifted.
        """
        if not reason.strip():
            raise InvalidInput("Say who asked for it and how you made sure of that; name nobody.")
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            lock_making(connection)
            district = self._district(connection)
            found = _lifted(connection, block_id, by=by, at=now)
            if found is None:
                raise NotFound("There is no such block. `lti-server person blocks` shows those there are.")
            self._log(connection, district.keys, "person unblock", by, found[0], {"reason": reason})
        self._journal.append(JournalKind.UNBLOCK, district_id=district_id, at=now, block=str(block_id))

    def every(self, connection: Connection) -> list[Block]:
        """The blocks that stand in the entered district, oldest first."""
        count = sa.select(sa.func.count()).where(block_alias.c.block_id == block.c.id).scalar_subquery()
        rows = connection.execute(
            sa.select(block, count.label("aliases")).where(block.c.lifted_at.is_(None)).order_by(block.c.made_at)
        )
        return [
            Block(id=row.id, provider=row.provider, person_id=row.person_id, made_at=row.made_at, aliases=row.aliases)
            for row in rows
        ]

    def replay(self, entry: JournalEntry) -> bool:
        """Do again what a restored backup does not know: a block, or its end. False where it knows it."""
        block_id = UUID(entry.said["block"])
        assert entry.district_id is not None
        with self._database.tenant(entry.district_id) as connection:
            lock_making(connection)
            keys = self._district(connection).keys
            if entry.kind is JournalKind.UNBLOCK:
                return _lifted(connection, block_id, by="restore", at=entry.at) is not None
            if connection.execute(sa.select(block.c.id).where(block.c.id == block_id)).one_or_none() is not None:
                return False
            hashes = [bytes.fromhex(one) for one in entry.said["hashes"]]
            provider = entry.said["provider"]
            people = connection.execute(_PEOPLE, {"hashes": hashes, "provider": provider}).scalars().all()
            made = Block(
                id=block_id, provider=provider, person_id=PersonId(people[0]) if len(people) == 1 else None,
                made_at=entry.at, aliases=len(hashes),
            )  # fmt: skip
            self._keep(connection, keys, made, hashes, by="restore")
            for person_id in people:
                self._stop(connection, PersonId(person_id), provider, entry.at)
        return True

    def _of_person(
        self, connection: Connection, keys: DistrictKeys, person_id: PersonId, *, provider: str, by: str
    ) -> Block:
        row = connection.execute(_KEY, {"person": person_id}).one_or_none()
        if row is None or row.wrapped_key is None:
            raise NotFound("There is no person with this id.")
        if row.kind != "pupil":
            raise Conflict("This person teaches. A block is for pupils.")
        key = keys.person_key(person_id, bytes(row.wrapped_key))
        hashes = {bytes(one) for one in connection.execute(_ALIASES, {"person": person_id}).scalars()}
        for one in connection.execute(_IDENTITIES, {"person": person_id}):
            hashes.add(of_subject(keys, key.open("identity", "subject", one.id, bytes(one.subject))))
        return self._put(connection, keys, person_id, hashes, provider=provider, by=by)

    def _put(
        self,
        connection: Connection,
        keys: DistrictKeys,
        person_id: PersonId | None,
        hashes: Iterable[bytes],
        *,
        provider: str,
        by: str,
    ) -> Block:
        """The block, unless one like it stands: then nothing changes."""
        wanted, now = sorted(hashes), self._clock.now()
        standing = self._standing(connection, wanted, provider)
        if standing is not None:
            return standing
        made = Block(id=new_id(), provider=provider, person_id=person_id, made_at=now, aliases=len(wanted))
        self._keep(connection, keys, made, wanted, by=by)
        if person_id is not None:
            self._stop(connection, person_id, provider, now)
        self._journal.append(
            JournalKind.BLOCK, district_id=keys.district_id, at=now, block=str(made.id), provider=provider,
            hashes=[one.hex() for one in wanted],
        )  # fmt: skip
        return made

    def _standing(self, connection: Connection, hashes: Sequence[bytes], provider: str) -> Block | None:
        known = {one.id: one for one in self.every(connection) if one.provider in ("", provider)}
        for one in known.values():
            a = block_alias.c
            mine = {
                bytes(found) for found in connection.execute(sa.select(a.hash).where(a.block_id == one.id)).scalars()
            }
            if mine.issuperset(hashes):
                return one
        return None

    def _keep(
        self, connection: Connection, keys: DistrictKeys, made: Block, hashes: Sequence[bytes], *, by: str
    ) -> None:
        connection.execute(
            block.insert().values(
                id=made.id, district_id=keys.district_id, provider=made.provider, person_id=made.person_id,
                made_by=by, made_at=made.made_at,
            )
        )  # fmt: skip
        rows = [
            {"district_id": keys.district_id, "hash": one, "block_id": made.id, "provider": made.provider}
            for one in hashes
        ]
        connection.execute(block_alias.insert(), rows)
        self._log(connection, keys, "person block", by, made.person_id, {"block": str(made.id)})

    def _stop(self, connection: Connection, person_id: PersonId, provider: str, at: datetime) -> None:
        """Nothing of the person is collected from here on; a session that runs ends, its way in is closed."""
        connection.execute(_END_IDENTITIES, {"person": person_id, "provider": provider, "at": at})
        self._stops(connection, person_id, at)

    def _log(
        self,
        connection: Connection,
        keys: DistrictKeys,
        act: str,
        by: str,
        person_id: UUID | None,
        said: Mapping[str, object],
    ) -> None:
        entry = log.entry(
            keys, at=self._clock.now(), actor=by, act=act, decision="allowed", purpose="operation",
            object_id=person_id, population="person" if person_id else "", interest=log.Interest.OWN_DATA, payload=said,
        )  # fmt: skip
        log.record(connection, entry)


def _lifted(connection: Connection, block_id: UUID, *, by: str, at: datetime) -> tuple[UUID | None] | None:
    """End a block that stands, and answer with whose it was; who was known then comes back as before."""
    row = connection.execute(
        block.update()
        .where(block.c.id == block_id, block.c.lifted_at.is_(None))
        .values(lifted_at=at, lifted_by=by)
        .returning(block.c.person_id, block.c.made_at)
    ).one_or_none()
    if row is None:
        return None
    connection.execute(block_alias.delete().where(block_alias.c.block_id == block_id))
    if row.person_id is not None:
        connection.execute(_AGAIN, {"person": row.person_id, "at": row.made_at})
    return (row.person_id,)
