"""The log of requests for, and disclosures of, personal data: entries commit with their use case (law 12)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlalchemy.engine import Connection

from lti_server.ids import PersonId, new_id
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.log_chain import leaf_hash

Decision = Literal["allowed", "refused"]
POPULATION = re.compile(r"([a-z_]+(:[0-9a-f-]{36})?)?")
WORDS = "words"


class Interest(StrEnum):
    """Why whoever asked or received may have it (34 CFR 99.32(a)(3)(ii), in the words of 99.31)."""

    NONE = ""
    """Nothing about a person was asked for or given."""
    SERVICE = "service"
    """The service that the district has contracted for: 99.31(a)(1)(i)(B)."""
    OPERATION = "operation"
    """Running the server for the district, under the same contract."""
    SCHOOL_OFFICIAL = "school_official"
    """Staff of the district or school: 99.31(a)(1)(i)(A)."""
    EVALUATION = "evaluation"
    """A study or an evaluation for the district: 99.31(a)(3) and (6)."""
    OWN_DATA = "own_data"
    """The person, or who speaks for the person: 99.10, 99.31(a)(11) and (12)."""
    SAFETY = "safety"
    """A danger to health or safety; the entry's words say which: 99.31(a)(10), 99.32(a)(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Free text about one person: it is sealed under that person's key, and gone with it."""

    person_id: PersonId
    text: str
    key: PersonKey = field(repr=False)


def entry(
    keys: DistrictKeys,
    *,
    at: datetime,
    actor: str,
    act: str,
    decision: Decision,
    purpose: str,
    object_id: UUID | None = None,
    elements: Sequence[str] = (),
    payload: Mapping[str, object] | None = None,
    population: str = "",
    interest: Interest = Interest.NONE,
    words: Words | None = None,
) -> dict[str, object]:
    """The values of one row.

    `actor` and `object_id` are ids of ours, never a name. `population` says whose data: `person` (that of `object_id`),
    `section:<id>` (whoever was in it then), `district`, or nobody's. The payload is sealed under the district's key and
    the leaf hash covers the ciphertext, so that erasure keeps the chain whole.
    """
    if not POPULATION.fullmatch(population):
        raise ValueError("a population is a word, or a word and an id")
    salt = new_id()
    said = dict(payload or {})
    if words is not None:
        sealed_words = words.key.seal("log_entry", WORDS, salt, words.text)
        said[WORDS] = {"person": str(words.person_id), "sealed": base64.b64encode(sealed_words).decode()}
    row: dict[str, object] = {
        "district": keys.district_id, "at": at.astimezone(UTC), "actor": actor, "act": act, "decision": decision,
        "purpose": purpose, "object_id": object_id, "elements": list(elements),
        "payload": salt.bytes + keys.seal("log_entry", "payload", salt, json.dumps(said, sort_keys=True)),
        "population": population, "interest": str(interest),
    }  # fmt: skip
    return {"log_leaf": leaf_hash(**row), **{f"log_{name}": value for name, value in row.items()}}  # type: ignore[arg-type]  # one row, by its names


_INTO = (
    "INSERT INTO log_entry (district_id, at, actor, act, decision, purpose, object_id, elements, payload, leaf_hash,"
    " population, interest) "
)
_VALUES = (
    ":log_district, :log_at, :log_actor, :log_act, :log_decision, :log_purpose, CAST(:log_object_id AS uuid),"
    " CAST(:log_elements AS text[]), :log_payload, :log_leaf, :log_population, :log_interest"
)
INSERT = f"{_INTO}VALUES ({_VALUES})"
"""One `entry`, where a statement of its own makes it."""
INSERT_FROM = f"{_INTO}SELECT {_VALUES} FROM "  # noqa: S608 (both parts are ours)
"""The same for each row of what is named behind it: for a statement that finds out whether there is one to log."""
_INSERT = sa.text(INSERT)


def record(connection: Connection, values: Mapping[str, object]) -> None:
    """Append one `entry` on the caller's transaction."""
    connection.execute(_INSERT, values)


def payload_of(keys: DistrictKeys, sealed: bytes) -> dict[str, object]:
    """What an entry says beyond its columns."""
    salt = UUID(bytes=sealed[:16])
    found = json.loads(keys.open("log_entry", "payload", salt, sealed[16:]))
    assert isinstance(found, dict)
    return found


def words_of(keys: DistrictKeys, sealed: bytes, person_id: PersonId, key: PersonKey | None) -> str | None:
    """An entry's free text about this person; None where there is none, or the person's key is destroyed."""
    said = payload_of(keys, sealed).get(WORDS)
    if key is None or not isinstance(said, dict) or said.get("person") != str(person_id):
        return None
    try:
        return key.open("log_entry", WORDS, UUID(bytes=sealed[:16]), base64.b64decode(str(said["sealed"])))
    except InvalidTag:
        return None
