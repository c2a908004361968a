"""People as the rules see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum

from lti_server.ids import IdentityId, PersonId
from lti_server.privacy.ages import Age
from lti_server.privacy.store_gate import Leave


class Kind(StrEnum):
    """Which schedule governs a person's fields. Unknown is a pupil: the stricter one."""

    PUPIL = "pupil"
    STAFF = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who somebody is at an issuer: the key of an identity within a district."""

    provider: str
    issuer: str
    client_id: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldValue:
    """A field with the store gate's leave. `hash_only`: the value itself may not be kept (A-08), its lookup may."""

    name: str
    value: str
    leave: Leave = dataclass_field(repr=False, compare=False)
    hash_only: bool = False
    findable: bool = False


def spelt(field: str, value: str) -> str:
    """A value as it is looked up: an e-mail address is the same in whatever letters it is written."""
    return value.strip().lower() if field == "email" else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A person found by an identity. `fingerprints`: field name to HMAC, of one grant."""

    person_id: PersonId
    identity_id: IdentityId
    kind: Kind
    wrapped_key: bytes | None
    fingerprints: dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The allowed part of what a source said.

    `keep_subject`: the subject may be kept itself, not only its keyed hash. `whole`: the source was asked for
    everything, so that a field it no longer brings is dropped. `age`: what a birth date has become.
    """

    fields: tuple[FieldValue, ...]
    keep_subject: bool
    refused: Mapping[str, int]
    elements: tuple[str, ...]
    policy_hash: str
    whole: bool = True
    age: Age | None = None
