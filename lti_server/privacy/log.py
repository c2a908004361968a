"""The log of requests for, and disclosures of, personal data: entries commit with their use case (law 12)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import new_id
from lti_server.privacy.crypto import DistrictKeys

Decision = Literal["allowed", "refused"]


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
) -> dict[str, object]:
    """The values of one row.

    `actor` and `object_id` are ids of ours, never a name. The payload is sealed under the district's key and the
    leaf hash covers the ciphertext, so that erasure keeps the coming chain whole.
    """
    salt = new_id()
    sealed = salt.bytes + keys.seal("log_entry", "payload", salt, json.dumps(payload or {}, sort_keys=True))
    leaf = hashlib.sha256(
        json.dumps(
            [
                str(keys.district_id),
                at.isoformat(),
                actor,
                act,
                decision,
                purpose,
                str(object_id),
                list(elements),
            ]
        ).encode()
        + sealed
    ).digest()
    return {
        "log_district": keys.district_id, "log_at": at, "log_actor": actor, "log_act": act,
        "log_decision": decision, "log_purpose": purpose, "log_object": object_id,
        "log_elements": list(elements), "log_payload": sealed, "log_leaf": leaf,
    }  # fmt: skip


INSERT = (
    "INSERT INTO log_entry (district_id, at, actor, act, decision, purpose, object_id, elements, payload, leaf_hash)"
    " VALUES (:log_district, :log_at, :log_actor, :log_act, :log_decision, :log_purpose, :log_object,"
    " :log_elements, :log_payload, :log_leaf)"
)
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
