"""What of a person themself moves in a merge: ways in, fields, what was put right, and what they asked for.

A sealed value is opened under the one key and sealed under the other. Where both have the same of the same source, the
one who stays keeps theirs, and the ledger keeps the other's. Of what protects, the stricter holds: restrictions are
united, and a new use goes on only where both had agreed to it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.merging import Moved, Pair, Side, Undoing
from lti_server.accounts.personal_data import end_sessions
from lti_server.accounts.store import put_back
from lti_server.accounts.withdrawal import close_sessions
from lti_server.ids import PersonId
from lti_server.privacy.ages import Age, AgeSource, Said, earliest_day


class PeopleMerge:
    """Identities, fields, corrections, restrictions, consents, requests, and blocks that were lifted."""

    name = "people"

    def counts(self, connection: Connection, person_id: PersonId) -> Mapping[str, int]:
        row = connection.execute(_COUNTS, {"person": person_id}).one()
        return {"identities": row.identities, "fields": row.fields, "corrections": row.corrections}

    def merge(self, connection: Connection, pair: Pair) -> Moved:
        """Move all of it; sessions of the one who goes end at once."""
        end_sessions(connection, pair.gone.person_id)
        both = {"gone": pair.gone.person_id, "into": pair.into.person_id, "at": pair.at}
        fields, kept_fields = _fields(connection, pair, both)
        corrections, kept_corrections = _corrections(connection, pair, both)
        kept_restrictions = _plain_rows(connection.execute(_DOUBLE_RESTRICTIONS, both))
        kept = {"fields": kept_fields, "corrections": kept_corrections, "restrictions": kept_restrictions}
        ids = {
            "identity": _identities(connection, pair.gone, pair.into, connection.execute(_MY_IDENTITIES, both)),
            "person_field": fields,
            "correction": corrections,
            "disclosure_restriction": _texts(connection.execute(_MOVE_RESTRICTIONS, both)),
            "own_request": _requests(connection, pair.gone, pair.into, connection.execute(_MY_REQUESTS, both)),
            "consent_ended": _texts(connection.execute(_END_CONSENTS, both)),
            "block": _texts(connection.execute(_MOVE_BLOCKS, both)),
        }
        return Moved(ids=ids, kept=kept)

    def undo(self, connection: Connection, undoing: Undoing) -> None:
        """Give back each row. What a shared connection has said since is dropped: its next word says whose it is.

        Sessions that began since end: whoever came by the way in of the one is not to stay at the data of the other.
        """
        pair, ids, kept = undoing.pair, undoing.moved.ids, undoing.moved.kept
        both = {"gone": pair.gone.person_id, "into": pair.into.person_id, "at": pair.at}
        since = list(connection.execute(_SESSIONS_SINCE, both).scalars())
        close_sessions(connection, since)
        connection.execute(_DROP_SESSIONS, {"ids": since})
        _ages_back(connection, undoing, both)
        named = {"ids": [UUID(one) for one in ids["identity"]], "person": pair.into.person_id}
        _identities(connection, pair.into, pair.gone, connection.execute(_THESE_IDENTITIES, named))
        _fields_back(connection, undoing, both)
        _corrections_back(connection, undoing, both)
        named = {"ids": [UUID(one) for one in ids["own_request"]], "person": pair.into.person_id}
        _requests(connection, pair.into, pair.gone, connection.execute(_THESE_REQUESTS, named))
        connection.execute(_RESTRICTIONS_BACK, {**both, "names": list(ids["disclosure_restriction"])})
        connection.execute(_RESTRICTIONS_SINCE, both)
        for row in kept["restrictions"]:
            connection.execute(_PUT_RESTRICTION, {**both, **row, "district": pair.keys.district_id})
        connection.execute(_CONSENTS_AGAIN, {**both, "ids": [UUID(one) for one in ids["consent_ended"]]})
        connection.execute(_BLOCKS_BACK, {**both, "ids": [UUID(one) for one in ids["block"]]})


def _identities(connection: Connection, side: Side, to: Side, rows: sa.CursorResult[Any]) -> list[str]:
    """Ways in, those that ended too: they are the history of who somebody was called where."""
    return _moved(connection, _PUT_IDENTITY, ("identity", "subject"), side, to, rows)


def _fields(connection: Connection, pair: Pair, both: Mapping[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    moved: list[str] = []
    kept: list[dict[str, Any]] = []
    for row in connection.execute(_FIELDS, both).all():
        if row.is_double:
            kept.append(_plain_row(row))
            continue
        moved.append(f"{row.field}|{row.grant_id}")
        _move_field(connection, pair.gone, pair.into, row)
    connection.execute(_DROP_FIELDS, both)
    return moved, kept


def _move_field(connection: Connection, side: Side, to: Side, row: sa.Row[Any]) -> None:
    """The fingerprint stays as it is: it fits no row of the other's, so the next word of the source is written."""
    before, after = (f"{one.person_id}|{row.field}|{row.grant_id}" for one in (side, to))
    sealed = _again(side, to, "person_field", "ciphertext", before, after, row.ciphertext)
    values = {"was": side.person_id, "person": to.person_id, "field": row.field, "grant": row.grant_id}
    connection.execute(_PUT_FIELD, {**values, "ciphertext": sealed})


def _fields_back(connection: Connection, undoing: Undoing, both: Mapping[str, Any]) -> None:
    pair, moved = undoing.pair, set(undoing.moved.ids["person_field"])
    connection.execute(_DROP_SINCE, {**both, "grants": list(undoing.shared)})
    for row in connection.execute(_ALL_FIELDS, both).all():
        came_by_them = row.grant_id in undoing.theirs and row.collected_at > pair.at
        if f"{row.field}|{row.grant_id}" in moved or came_by_them:
            _move_field(connection, pair.into, pair.gone, row)
    for row in undoing.moved.kept["fields"]:
        values = {**row, **{name: _bytes(row[name]) for name in ("ciphertext", "fingerprint", "lookup")}}
        put_back(connection, pair.gone.person_id, values)


def _corrections(connection: Connection, pair: Pair, both: Mapping[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    moved: list[str] = []
    kept: list[dict[str, Any]] = []
    for row in connection.execute(_CORRECTIONS, both).all():
        if row.is_double:
            kept.append(_plain_row(row))
            if row.field != ages.FIELD or not _is_younger(connection, pair, row.ciphertext):
                continue
            # The strictest age holds: theirs goes where the other's stood, which the ledger keeps as well.
            kept.append({**_plain_row(connection.execute(_AGE_OF, both).one()), "into": True})
            connection.execute(_DROP_AGE, both)
            _move_correction(connection, pair.gone, pair.into, row)
            continue
        moved.append(row.field)
        _move_correction(connection, pair.gone, pair.into, row)
    connection.execute(_DROP_CORRECTIONS, both)
    return moved, kept


def _is_younger(connection: Connection, pair: Pair, theirs: bytes) -> bool:
    """Whether the district says less of the one who goes; what a restore holds back says least."""
    mine = connection.execute(_AGE_OF, {"into": pair.into.person_id}).one().ciphertext
    texts = [
        side.key.open("correction", "ciphertext", f"{side.person_id}|{ages.FIELD}", bytes(sealed))
        for side, sealed in ((pair.into, mine), (pair.gone, theirs))
    ]
    if not all(texts):
        return not texts[1]
    today = earliest_day(pair.at)
    return Age.read(texts[1]).at(today) < Age.read(texts[0]).at(today)


def _move_correction(connection: Connection, side: Side, to: Side, row: sa.Row[Any]) -> None:
    before, after = f"{side.person_id}|{row.field}", f"{to.person_id}|{row.field}"
    sealed = _again(side, to, "correction", "ciphertext", before, after, row.ciphertext)
    values = {"was": side.person_id, "person": to.person_id, "field": row.field, "ciphertext": sealed}
    connection.execute(_PUT_CORRECTION, values)


def _corrections_back(connection: Connection, undoing: Undoing, both: Mapping[str, Any]) -> None:
    pair, moved = undoing.pair, set(undoing.moved.ids["correction"])
    for row in connection.execute(_ALL_CORRECTIONS, both).all():
        if row.field in moved:
            _move_correction(connection, pair.into, pair.gone, row)
    for row in undoing.moved.kept["corrections"]:
        whose = pair.into if row.get("into") else pair.gone
        if row.get("into"):
            connection.execute(_DROP_AGE, both)
        values = {**row, "ciphertext": _bytes(row["ciphertext"]), "gone": whose.person_id}
        connection.execute(_RESTORE_CORRECTION, values)


def _ages_back(connection: Connection, undoing: Undoing, both: Mapping[str, Any]) -> None:
    """What was said since of an age is said of whoever came by that connection, and never makes the other older.

    One's own word of that time may be of either, and is dropped: an unknown age is that of a child.
    """
    pair = undoing.pair
    gone = ages.Whose(keys=pair.keys, person_id=pair.gone.person_id, key=pair.gone.key)
    grants = {"theirs": list(undoing.theirs), "shared": list(undoing.shared)}
    for row in connection.execute(_AGES_SINCE, {**both, **grants}).all():
        if row.grant_id in undoing.theirs:
            said = Age.read(pair.into.key.open("person_age", "sealed", str(row.id), bytes(row.sealed)))
            ages.learn(
                connection, gone, Said(AgeSource(row.source), said), grant_id=row.grant_id, by=row.recorded_by,
                at=row.recorded_at,
            )  # fmt: skip


def _requests(connection: Connection, side: Side, to: Side, rows: sa.CursorResult[Any]) -> list[str]:
    return _moved(connection, _PUT_REQUEST, ("own_request", "sealed"), side, to, rows)


def _moved(
    connection: Connection,
    put: sa.TextClause,
    place: tuple[str, str],
    side: Side,
    to: Side,
    rows: sa.CursorResult[Any],
) -> list[str]:
    """Rows that become another's, each with its sealed value (table and column) under their key; their ids."""
    table, column = place
    found = [
        {
            "id": row.id,
            "person": to.person_id,
            column: _again(side, to, table, column, str(row.id), str(row.id), getattr(row, column)),
        }
        for row in rows
    ]
    if found:
        connection.execute(put, found)
    return [str(one["id"]) for one in found]


def _again(
    side: Side, to: Side, table: str, column: str, before: str, after: str, sealed: bytes | None
) -> bytes | None:
    """The same under the other's key."""
    if sealed is None:
        return None
    return to.key.seal_bytes(table, column, after, side.key.open_bytes(table, column, before, bytes(sealed)))


def _texts(found: sa.CursorResult[Any]) -> list[str]:
    return [str(one) for one in found.scalars()]


def _plain_rows(found: sa.CursorResult[Any]) -> list[dict[str, Any]]:
    return [_plain_row(row) for row in found]


def _plain_row(row: sa.Row[Any]) -> dict[str, Any]:
    """A row as the ledger seals it."""
    return {name: _plain(value) for name, value in row._mapping.items() if name != "is_double"}


def _plain(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


_COUNTS = sa.text(
    "SELECT (SELECT count(*) FROM identity WHERE person_id = :person AND ended_at IS NULL) AS identities,"
    " (SELECT count(DISTINCT field) FROM person_field WHERE person_id = :person) AS fields,"
    " (SELECT count(*) FROM correction WHERE person_id = :person) AS corrections"
)
_MY_IDENTITIES = sa.text("SELECT id, subject FROM identity WHERE person_id = :gone")
_THESE_IDENTITIES = sa.text("SELECT id, subject FROM identity WHERE id = ANY(:ids) AND person_id = :person")
_PUT_IDENTITY = sa.text("UPDATE identity SET person_id = :person, subject = :subject WHERE id = :id")
_FIELDS = sa.text(
    "SELECT district_id, field, grant_id, ciphertext, fingerprint, lookup, run_id, epoch, collected_at,"
    " EXISTS (SELECT FROM person_field o WHERE o.person_id = :into AND o.field = f.field AND o.grant_id = f.grant_id)"
    " AS is_double FROM person_field f WHERE f.person_id = :gone"
)
_PUT_FIELD = sa.text(
    "UPDATE person_field SET person_id = :person, ciphertext = :ciphertext"
    " WHERE person_id = :was AND field = :field AND grant_id = :grant"
)
_DROP_FIELDS = sa.text("DELETE FROM person_field WHERE person_id = :gone")
_DROP_SINCE = sa.text(
    "DELETE FROM person_field WHERE person_id = :into AND grant_id = ANY(:grants) AND collected_at > :at"
)
_ALL_FIELDS = sa.text("SELECT field, grant_id, ciphertext, collected_at FROM person_field WHERE person_id = :into")
_CORRECTIONS = sa.text(
    "SELECT district_id, field, ciphertext, corrected_by, corrected_at, EXISTS (SELECT FROM correction o"
    " WHERE o.person_id = :into AND o.field = c.field) AS is_double FROM correction c WHERE c.person_id = :gone"
)
_AGE_OF = sa.text(
    "SELECT district_id, field, ciphertext, corrected_by, corrected_at FROM correction"
    " WHERE person_id = :into AND field = 'age'"
)
_DROP_AGE = sa.text("DELETE FROM correction WHERE person_id = :into AND field = 'age'")
_PUT_CORRECTION = sa.text(
    "UPDATE correction SET person_id = :person, ciphertext = :ciphertext WHERE person_id = :was AND field = :field"
)
_DROP_CORRECTIONS = sa.text("DELETE FROM correction WHERE person_id = :gone")
_ALL_CORRECTIONS = sa.text("SELECT field, ciphertext FROM correction WHERE person_id = :into")
_RESTORE_CORRECTION = sa.text(
    "INSERT INTO correction (district_id, person_id, field, ciphertext, corrected_by, corrected_at) VALUES"
    " (CAST(:district_id AS uuid), :gone, :field, :ciphertext, :corrected_by, CAST(:corrected_at AS timestamptz))"
    " ON CONFLICT DO NOTHING"
)
_DOUBLE_RESTRICTIONS = sa.text(
    "DELETE FROM disclosure_restriction r WHERE r.person_id = :gone AND EXISTS (SELECT FROM disclosure_restriction o"
    " WHERE o.person_id = :into AND o.recipients = r.recipients) RETURNING recipients, restricted_by, restricted_at"
)
_MOVE_RESTRICTIONS = sa.text(
    "UPDATE disclosure_restriction SET person_id = :into WHERE person_id = :gone RETURNING recipients"
)
_RESTRICTIONS_BACK = sa.text(
    "UPDATE disclosure_restriction SET person_id = :gone WHERE person_id = :into AND recipients = ANY(:names)"
    " AND restricted_at <= :at"
)
# What was restricted since is asked for by somebody who was both: it holds for both.
_RESTRICTIONS_SINCE = sa.text(
    "INSERT INTO disclosure_restriction (district_id, person_id, recipients, restricted_by, restricted_at)"
    " SELECT district_id, :gone, recipients, restricted_by, restricted_at FROM disclosure_restriction"
    " WHERE person_id = :into AND restricted_at > :at ON CONFLICT DO NOTHING"
)
_PUT_RESTRICTION = sa.text(
    "INSERT INTO disclosure_restriction (district_id, person_id, recipients, restricted_by, restricted_at)"
    " VALUES (:district, :gone, :recipients, :restricted_by, CAST(:restricted_at AS timestamptz))"
    " ON CONFLICT DO NOTHING"
)
_SESSIONS_SINCE = sa.text("SELECT id FROM session WHERE person_id = :into AND created_at >= :at")
_DROP_SESSIONS = sa.text("DELETE FROM session WHERE id = ANY(:ids)")
_AGES_SINCE = sa.text(
    "DELETE FROM person_age WHERE person_id = :into AND recorded_at > :at"
    " AND (grant_id = ANY(:theirs) OR grant_id = ANY(:shared) OR source = 'self')"
    " RETURNING id, source, grant_id, sealed, recorded_by, recorded_at"
)
_MY_REQUESTS = sa.text("SELECT id, sealed FROM own_request WHERE person_id = :gone")
_THESE_REQUESTS = sa.text("SELECT id, sealed FROM own_request WHERE id = ANY(:ids) AND person_id = :person")
_PUT_REQUEST = sa.text("UPDATE own_request SET person_id = :person, sealed = :sealed WHERE id = :id")
_END_CONSENTS = sa.text(
    "UPDATE consent c SET withdrawn_at = :at WHERE c.person_id = :into AND c.withdrawn_at IS NULL AND NOT EXISTS ("
    "SELECT FROM consent o WHERE o.person_id = :gone AND o.purpose = c.purpose AND o.withdrawn_at IS NULL) RETURNING id"
)
_CONSENTS_AGAIN = sa.text(
    "UPDATE consent c SET withdrawn_at = NULL WHERE c.id = ANY(:ids) AND c.withdrawn_at = :at AND NOT EXISTS ("
    "SELECT FROM consent o WHERE o.person_id = c.person_id AND o.purpose = c.purpose AND o.withdrawn_at IS NULL)"
)
_MOVE_BLOCKS = sa.text("UPDATE block SET person_id = :into WHERE person_id = :gone RETURNING id")
_BLOCKS_BACK = sa.text("UPDATE block SET person_id = :gone WHERE id = ANY(:ids) AND person_id = :into")
