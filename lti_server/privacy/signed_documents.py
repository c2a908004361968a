"""Documents that leave as one signed file: receipts, certificates, checkpoints and extracts of the log.

The file is JSON with three members: `document`, which anyone can read, and `protected` and `signature`, which are those
of a flattened JWS (RFC 7515 7.2.2) whose payload is detached (appendix F) and is the canonical form of the document.
It is checked with a public key alone, years later and far from the database.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from lti_server.errors import InvalidInput
from lti_server.ids import DistrictId
from lti_server.privacy.canonical_json import canonical, strictly_read

ALGORITHM: Final = "Ed25519"  # RFC 9864; ADR 11 says why
TYPE = "lti-server-document+jws"
MEMBERS = frozenset({"document", "protected", "signature"})
SAID = frozenset({"kind", "version", "issuer", "district", "issued_at", "body"})
LARGEST_FILE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of document in one version: `members` are all that its body has. A changed body is the next version.

    Keep to ids of ours, times, counts, hashes and words of a fixed list: who receives the file hands it on.
    """

    name: str
    version: int
    members: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKey:
    """A key that signs documents; `kid` is the thumbprint of its public half (RFC 7638)."""

    kid: str
    key: OKPKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file says, and that it says so unchanged. `district` is None where it is of the whole installation."""

    kind: str
    version: int
    issuer: str
    district: str | None
    issued_at: datetime
    body: Mapping[str, Any]
    kid: str


def signed(
    kind: Kind,
    body: Mapping[str, object],
    *,
    district_id: DistrictId | None,
    issuer: str,
    at: datetime,
    key: DocumentKey,
) -> bytes:
    """The file. The same facts under the same key are the same bytes: give `at` the moment of the fact.

    Raises:
        ValueError: the body has other members than its kind, or a value that canonical JSON has not.
    """
    if body.keys() != kind.members:
        raise ValueError(f"{kind.name} version {kind.version} has the members {', '.join(sorted(kind.members))}")
    document = {
        "kind": kind.name,
        "version": kind.version,
        "issuer": issuer,
        "district": None if district_id is None else str(district_id),
        "issued_at": at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "body": dict(body),
    }
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
    compact = jws.serialize_compact(header, canonical(document), key.key, algorithms=[ALGORITHM])
    protected, _, signature = compact.split(".")
    file = {"document": document, "protected": protected, "signature": signature}
    return (json.dumps(file, indent=2, ensure_ascii=False) + "\n").encode()


def checked(file: bytes, keys: Mapping[str, OKPKey]) -> Checked:
    """What a signed file says, once its signature is found to be of one of `keys` (by kid).

    Raises:
        InvalidInput: the file is none of these documents, was changed, or was signed by a key that is not among them.
    """
    parts = _parts(file)
    header = _header(parts["protected"])
    kid = header["kid"]
    if kid not in keys:
        raise InvalidInput(
            "The file was signed with a key that is not among the keys you gave. Get the key set of the server that "
            "issued it (its address ends in /audit/jwks)."
        )
    try:
        payload = base64.urlsafe_b64encode(canonical(parts["document"])).rstrip(b"=").decode()
        compact = f"{parts['protected']}.{payload}.{parts['signature']}"
        jws.deserialize_compact(compact, keys[kid], algorithms=[ALGORITHM])
    except (JoseError, ValueError) as error:
        raise InvalidInput(
            "The file was changed after it was signed, so nothing in it holds. Get it again from whoever issued it."
        ) from error
    return _read(parts["document"], kid)


def public_keys(jwks: bytes | str | Mapping[str, Any]) -> Mapping[str, OKPKey]:
    """The keys of a key set that sign documents, by kid. A key's kid must be its own thumbprint.

    Raises:
        InvalidInput: it is no JWK set (RFC 7517), or none of its keys is of this kind.
    """
    try:
        found = jwks if isinstance(jwks, Mapping) else strictly_read(jwks.encode() if isinstance(jwks, str) else jwks)
        listed = [OKPKey.import_key(dict(one)) for one in found["keys"] if one.get("crv") == ALGORITHM]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("The file of keys is not a JWK set. Save it again from /audit/jwks.") from error
    if not listed:
        raise InvalidInput("The file of keys has no key that signs documents. Save it again from /audit/jwks.")
    return MappingProxyType({key.thumbprint(): key for key in listed})


def _parts(file: bytes) -> dict[str, Any]:
    if len(file) > LARGEST_FILE:
        raise InvalidInput(
            "The file is larger than any signed document of this program. Give the signed file as it was downloaded."
        )
    try:
        found = strictly_read(file)
    except ValueError as error:
        raise InvalidInput("The file is not JSON. Give the signed file as it was downloaded.") from error
    whole = isinstance(found, dict) and found.keys() == MEMBERS and isinstance(found["document"], dict)
    if not whole or not all(isinstance(found[name], str) for name in ("protected", "signature")):
        raise InvalidInput("The file is no signed document. Give the signed file as it was downloaded.")
    return dict(found)


def _header(protected: str) -> dict[str, str]:
    try:
        found = strictly_read(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
    except ValueError:
        found = None
    names = {"alg", "kid", "typ"}
    fits = isinstance(found, dict) and found.keys() == names and all(isinstance(one, str) for one in found.values())
    if not fits or found["alg"] != ALGORITHM or found["typ"] != TYPE:
        raise InvalidInput(
            "The file is signed in a way that this program does not use. Give the signed file as it was downloaded."
        )
    return dict(found)


def _read(document: Mapping[str, Any], kid: str) -> Checked:
    """Its members; a signature of ours is over what we wrote, so another form is another program's version."""
    try:
        if document.keys() != SAID or not isinstance(document["body"], dict):
            raise ValueError
        return Checked(
            kind=str(document["kind"]), version=int(document["version"]), issuer=str(document["issuer"]),
            district=document["district"], issued_at=datetime.fromisoformat(document["issued_at"]),
            body=document["body"], kid=kid,
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        raise InvalidInput("The file is of a later version of this program. Check it with that version.") from error
