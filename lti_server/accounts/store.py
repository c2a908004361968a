"""People, identities and fields at rest. Every function runs on the caller's transaction, within its tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.accounts.model import FieldValue, Kind, Known, Subject, spelt
from lti_server.accounts.tables import correction, identity, person, person_field
from lti_server.errors import ContractForbids, NotFound
from lti_server.ids import GrantId, IdentityId, PersonId, RunId, new_id
from lti_server.privacy import schedule
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.grants import withdrawn
from lti_server.privacy.reading import Reading
from lti_server.privacy.store_gate import Leave, must_cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where something was learnt (law 11): the grant at an epoch, and the run if there was one."""

    grant_id: GrantId
    epoch: int
    run_id: RunId | None
    at: datetime


def subject_hash(keys: DistrictKeys, subject: Subject) -> bytes:
    """The key of an identity: keyed, so that a dump names nobody at the issuer."""
    return keys.lookup("identity", f"{subject.issuer}\n{subject.client_id}\n{subject.subject}")


def lock_subject(connection: Connection, hashed: bytes) -> None:
    """Serialise the making of one identity: two first launches at once make one person. Not while many are made."""
    key = int.from_bytes(hashed[:8], "big", signed=True)
    connection.execute(
        sa.text(f"SELECT pg_advisory_xact_lock_shared({_MAKING}), pg_advisory_xact_lock(:key)"), {"key": key}
    )


def lock_making(connection: Connection) -> None:
    """Keep first launches of the entered district waiting until this transaction ends. Take it before any write."""
    connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MAKING})"))


_MAKING = "hashtextextended('people|' || current_district(), 1)"


def find(connection: Connection, hashed: Sequence[bytes], grant_id: GrantId) -> dict[bytes, Known]:
    """People by the hash of a live identity."""
    fingerprints = (
        sa.select(sa.func.jsonb_object_agg(person_field.c.field, sa.func.encode(person_field.c.fingerprint, "hex")))
        .where(person_field.c.person_id == person.c.id, person_field.c.grant_id == grant_id)
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(
            identity.c.subject_hash, identity.c.id, person.c.id.label("person_id"), person.c.kind,
            person.c.wrapped_key, fingerprints.label("fingerprints"),
        )
        .join(person, person.c.id == identity.c.person_id)
        .where(identity.c.subject_hash.in_(hashed), identity.c.ended_at.is_(None))
    )  # fmt: skip
    return {
        bytes(row.subject_hash): Known(
            person_id=PersonId(row.person_id),
            identity_id=IdentityId(row.id),
            kind=Kind(row.kind),
            wrapped_key=None if row.wrapped_key is None else bytes(row.wrapped_key),
            fingerprints=hex_fingerprints(row.fingerprints),
        )
        for row in rows
    }


def hex_fingerprints(found: Mapping[str, str] | None) -> dict[str, bytes]:
    """Fingerprints as PostgreSQL aggregates them, as bytes."""
    return {name: bytes.fromhex(value) for name, value in (found or {}).items()}


def fingerprints_of(connection: Connection, person_id: PersonId, grant_id: GrantId) -> dict[str, bytes]:
    """What a grant has told of somebody, as fingerprints."""
    f = person_field.c
    rows = connection.execute(sa.select(f.field, f.fingerprint).where(f.person_id == person_id, f.grant_id == grant_id))
    return {row.field: bytes(row.fingerprint) for row in rows}


def create(
    connection: Connection,
    keys: DistrictKeys,
    subject: Subject,
    *,
    kind: Kind,
    source: Source,
    keep_subject: bool,
) -> Known:
    """A new person with a key of their own, and the identity by which they came.

    `keep_subject`: the contract has `student_identifiers.app_assigned_id` (or the educator's identifier); without it
    the subject is kept as a keyed hash alone, and no grade can go back (design 6.4).
    """
    person_id, identity_id = PersonId(new_id()), IdentityId(new_id())
    key, wrapped = keys.new_person_key(person_id)
    connection.execute(
        person.insert().values(
            id=person_id, district_id=keys.district_id, kind=kind.value, wrapped_key=wrapped, created_at=source.at
        )
    )
    row = _identity_row(keys, key if keep_subject else None, person_id, identity_id, subject, source)
    connection.execute(identity.insert().values(row))
    return Known(person_id=person_id, identity_id=identity_id, kind=kind, wrapped_key=wrapped, fingerprints={})


def add_identity(
    connection: Connection, keys: DistrictKeys, known: Known, subject: Subject, *, source: Source, keep_subject: bool
) -> Known:
    """A further identity of somebody who is here; the caller has proof that it is theirs. `keep_subject` as `create`.

    Nothing that this grant told of them is known of the new one, so `fingerprints` stay those of the grant.
    """
    assert known.wrapped_key is not None
    identity_id = IdentityId(new_id())
    key = keys.person_key(known.person_id, known.wrapped_key)
    row = _identity_row(keys, key if keep_subject else None, known.person_id, identity_id, subject, source)
    connection.execute(identity.insert().values(row))
    return replace(known, identity_id=identity_id)


def create_many(
    connection: Connection, keys: DistrictKeys, wanted: Sequence[tuple[Subject, Kind, bool]], source: Source
) -> list[Known]:
    """`create` for many, in two statements. The caller holds `lock_making`, under which each subject was not found."""
    if not wanted:
        return []
    made: list[Known] = []
    persons: list[dict[str, object]] = []
    identities: list[dict[str, object]] = []
    for subject, kind, keep_subject in wanted:
        person_id, identity_id = PersonId(new_id()), IdentityId(new_id())
        key, wrapped = keys.new_person_key(person_id)
        persons.append(
            {
                "id": person_id, "district_id": keys.district_id, "kind": kind.value, "wrapped_key": wrapped,
                "created_at": source.at,
            }
        )  # fmt: skip
        identities.append(_identity_row(keys, key if keep_subject else None, person_id, identity_id, subject, source))
        made.append(
            Known(person_id=person_id, identity_id=identity_id, kind=kind, wrapped_key=wrapped, fingerprints={})
        )
    connection.execute(person.insert(), persons)
    connection.execute(identity.insert(), identities)
    return made


def _identity_row(
    keys: DistrictKeys,
    key: PersonKey | None,
    person_id: PersonId,
    identity_id: IdentityId,
    subject: Subject,
    source: Source,
) -> dict[str, object]:
    """A row of `identity`; without the person's key the subject is a keyed hash alone."""
    sealed = None if key is None else key.seal("identity", "subject", identity_id, subject.subject)
    return {
        "id": identity_id, "district_id": keys.district_id, "person_id": person_id, "grant_id": source.grant_id,
        "provider": subject.provider, "issuer": subject.issuer, "client_id": subject.client_id,
        "subject_hash": subject_hash(keys, subject), "subject": sealed, "created_at": source.at,
    }  # fmt: skip


def changed_fields(
    keys: DistrictKeys, known: Known, grant_id: GrantId, fields: Iterable[FieldValue]
) -> tuple[list[FieldValue], list[str]]:
    """What must be written, and the names of what this grant no longer brings; nothing is decrypted."""
    wanted = {field.name: field for field in fields}
    changed = [
        field
        for field in wanted.values()
        if known.fingerprints.get(field.name) != fingerprint(keys, known.person_id, grant_id, field)
    ]
    return changed, sorted(known.fingerprints.keys() - wanted.keys())


def fingerprint(keys: DistrictKeys, person_id: PersonId, grant_id: GrantId, field: FieldValue) -> bytes:
    """Changes with the value and with what may be kept of it; bound to its row."""
    return keys.fingerprint(f"{person_id}|{grant_id}", f"{field.name}|{field.hash_only}", field.value)


def write_fields(
    connection: Connection,
    keys: DistrictKeys,
    known: Known,
    source: Source,
    changed: Sequence[FieldValue],
    gone: Sequence[str],
) -> None:
    """Keep fields under the person's key with their provenance; drop those that the source no longer brings.

    Raises:
        NotFound: the person was erased; the key is never minted again.
    """
    write_many(connection, keys, [(known, changed)], source)
    if gone:
        connection.execute(
            person_field.delete().where(
                person_field.c.person_id == known.person_id,
                person_field.c.grant_id == source.grant_id,
                person_field.c.field.in_(gone),
            )
        )


def write_many(
    connection: Connection,
    keys: DistrictKeys,
    changed: Sequence[tuple[Known, Sequence[FieldValue]]],
    source: Source,
) -> None:
    """Fields of many people in one statement.

    Raises:
        NotFound: somebody among them was erased. ContractForbids: a field has no leave of the store gate.
    """
    rows = []
    for known, fields in changed:
        if not fields:
            continue
        if known.wrapped_key is None:
            raise NotFound("This account was erased.")
        key = keys.person_key(known.person_id, known.wrapped_key)
        rows += [_field_row(keys, key, known, source, field) for field in fields]
    if rows:
        insert = pg.insert(person_field)
        names = ("ciphertext", "fingerprint", "lookup", "run_id", "epoch", "collected_at")
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["person_id", "field", "grant_id"], set_={name: insert.excluded[name] for name in names}
            ),
            rows,
        )


def write_hash(
    connection: Connection, keys: DistrictKeys, known: Known, source: Source, field: str, lookup: bytes, leave: Leave
) -> None:
    """A field of which nothing but the keyed hash is known any more; of somebody new, who has none of this grant.

    Raises:
        ContractForbids: it has no leave of the store gate.
    """
    must_cover(leave, _element(known.kind, field))
    connection.execute(
        person_field.insert().values(
            district_id=keys.district_id, person_id=known.person_id, field=field, grant_id=source.grant_id,
            fingerprint=keys.fingerprint(f"{known.person_id}|{source.grant_id}", f"{field}|lookup", lookup.hex()),
            lookup=lookup, run_id=source.run_id, epoch=source.epoch, collected_at=source.at,
        )
    )  # fmt: skip


def put_back(connection: Connection, person_id: PersonId, row: Mapping[str, object]) -> None:
    """A row as it stood before a merge that is undone; its leave was shown when it was written.

    A row of a grant that does not stand any more stays away, and one that was written since stays as it is.
    """
    connection.execute(_PUT_BACK, {**row, "person": person_id})


_PUT_BACK = sa.text(
    "INSERT INTO person_field (district_id, person_id, field, grant_id, ciphertext, fingerprint, lookup, run_id, epoch,"
    " collected_at) SELECT CAST(:district_id AS uuid), :person, :field, g.id, :ciphertext, :fingerprint, :lookup,"
    " CAST(:run_id AS uuid), g.epoch, CAST(:collected_at AS timestamptz) FROM grants g"
    " WHERE g.id = CAST(:grant_id AS uuid) AND g.state = 'active' ON CONFLICT DO NOTHING"
)


def _field_row(
    keys: DistrictKeys, key: PersonKey, known: Known, source: Source, field: FieldValue
) -> dict[str, object]:
    place = f"{known.person_id}|{field.name}|{source.grant_id}"
    must_cover(field.leave, _element(known.kind, field.name))
    return {
        "district_id": keys.district_id,
        "person_id": known.person_id,
        "field": field.name,
        "grant_id": source.grant_id,
        "ciphertext": None if field.hash_only else key.seal("person_field", "ciphertext", place, field.value),
        "fingerprint": fingerprint(keys, known.person_id, source.grant_id, field),
        "lookup": keys.lookup(field.name, spelt(field.name, field.value)) if field.findable else None,
        "run_id": source.run_id,
        "epoch": source.epoch,
        "collected_at": source.at,
    }


def _element(kind: Kind, field: str) -> str:
    if kind is Kind.STAFF:
        return f"educator.{schedule.element_of_educator(field)}"
    return schedule.element_at_rest(field) or ""


def fields_of(
    connection: Connection, keys: DistrictKeys, people: Sequence[UUID], reading: Reading
) -> dict[UUID, dict[str, str]]:
    """Plain fields of people, newest source first; a field kept as a hash alone is absent.

    What came by a withdrawn grant alone is in quarantine, and absent too; so is what is not for this purpose, and what
    was collected before it was for this purpose of somebody who did not agree to that.

    Reads names, ids and e-mails: show no more than the reader may see.

    Raises:
        ContractForbids: nothing says what the read is for.
    """
    if not isinstance(reading, Reading):
        raise ContractForbids("Say what personal data are read for.")
    rows = connection.execute(_stored_of(people))
    found: dict[UUID, dict[str, str]] = {}
    opened: dict[UUID, PersonKey] = {}
    for row in rows:
        if not reading.allows_stored(row.kind, row.id, row.field, row.collected_at):
            continue
        key = opened.setdefault(row.id, keys.person_key(PersonId(row.id), bytes(row.wrapped_key)))
        place = f"{row.id}|{row.field}|{row.grant_id}"
        fields = found.setdefault(row.id, {})
        if row.field not in fields:
            fields[row.field] = key.open("person_field", "ciphertext", place, bytes(row.ciphertext))
    for row in connection.execute(_corrected(people)):  # what a district has put right stands before any source
        if reading.allows_stored(row.kind, row.person_id, row.field, row.corrected_at):
            key = opened.setdefault(row.person_id, keys.person_key(PersonId(row.person_id), bytes(row.wrapped_key)))
            text = key.open("correction", "ciphertext", f"{row.person_id}|{row.field}", bytes(row.ciphertext))
            fields = found.setdefault(row.person_id, {})
            fields.pop(row.field, None)
            if text:  # one that a restore holds back says nothing
                fields[row.field] = text
    return found


def _corrected(people: Sequence[UUID]) -> sa.Select[tuple[object, ...]]:
    c = correction.c
    return (
        sa.select(c.person_id, c.field, c.ciphertext, c.corrected_at, person.c.kind, person.c.wrapped_key)
        .join(person, person.c.id == c.person_id)
        .where(c.person_id.in_(people), person.c.wrapped_key.is_not(None))
    )


def _stored_of(people: Sequence[UUID]) -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(
            person.c.id, person.c.kind, person.c.wrapped_key, person_field.c.field, person_field.c.grant_id,
            person_field.c.ciphertext, person_field.c.collected_at,
        )
        .join(person_field, person_field.c.person_id == person.c.id)
        .where(
            person.c.id.in_(people),
            person_field.c.ciphertext.is_not(None),
            person.c.wrapped_key.is_not(None),
            person_field.c.grant_id.not_in(withdrawn()),
        )
        .order_by(person_field.c.collected_at.desc())
    )  # fmt: skip


def subject_of(connection: Connection, keys: DistrictKeys, identity_id: IdentityId) -> str | None:
    """The subject at the issuer, where the contract let it be kept: the address of a grade."""
    row = connection.execute(
        sa.select(identity.c.subject, person.c.id, person.c.wrapped_key)
        .join(person, person.c.id == identity.c.person_id)
        .where(identity.c.id == identity_id, identity.c.ended_at.is_(None))
    ).one_or_none()
    if row is None or row.subject is None or row.wrapped_key is None:
        return None
    key = keys.person_key(PersonId(row.id), bytes(row.wrapped_key))
    return key.open("identity", "subject", identity_id, bytes(row.subject))
