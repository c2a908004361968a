"""Keys and what they seal: key-encryption keys, a data key and a pepper a district, a key a person (design 2)."""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lti_server.errors import ConfigurationError
from lti_server.ids import DistrictId, PersonId

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID_BYTES = 8


def token_hash(token: str) -> bytes:
    """How a random token of ours is kept: it has 256 bits, so a plain digest cannot be guessed back."""
    return hashlib.sha256(token.encode()).digest()


def new_token() -> str:
    """256 random bits, safe in an address."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key-encryption keys of `SECRET_KEYS`; the first wraps, any unwraps."""

    _secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_secrets(cls, secret_keys: Sequence[str]) -> KeyRing:
        """A ring of any texts of at least 32 characters.

        Raises:
            ConfigurationError: there is no key.
        """
        if not secret_keys:
            raise ConfigurationError(
                [
                    "LTI_SERVER_SECRET_KEYS is not set. Make a key with: "
                    "python -c 'import secrets; print(secrets.token_urlsafe(48))' and keep it outside the database."
                ]
            )
        return cls(tuple(key.encode() for key in secret_keys))

    def signing_keys(self, purpose: str) -> list[bytes]:
        """One key a secret for signatures of one purpose, the current one first."""
        return [_derived(secret, f"sign|{purpose}") for secret in self._secrets]

    @property
    def size(self) -> int:
        return len(self._secrets)

    def key_ids(self, purpose: str) -> list[bytes]:
        """What a ciphertext of each secret begins with, the current one first."""
        return [_key_id(_derived(secret, f"wrap|{purpose}")) for secret in self._secrets]

    def position(self, purpose: str, wrapped: bytes, unknown: int) -> int:
        """Which secret wrapped it: 0 is the current one; `unknown` where none did."""
        ids = self.key_ids(purpose)
        return ids.index(wrapped[:KEY_ID_BYTES]) if wrapped[:KEY_ID_BYTES] in ids else unknown

    def names(self) -> list[str]:
        """Something to tell the secrets apart by, from which none can be guessed back."""
        return [_derived(secret, "name").hex()[:12] for secret in self._secrets]

    def rewrapped(self, purpose: str, aad: bytes, wrapped: bytes) -> bytes:
        """The same plaintext under the current secret; raises as `unwrap`."""
        return self.wrap(purpose, aad, self.unwrap(purpose, aad, wrapped))

    def wrap(self, purpose: str, aad: bytes, plaintext: bytes) -> bytes:
        """Key id, nonce and AES-GCM ciphertext, under the current key-encryption key."""
        key = _derived(self._secrets[0], f"wrap|{purpose}")
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _key_id(key) + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)

    def unwrap(self, purpose: str, aad: bytes, wrapped: bytes) -> bytes:
        """What `wrap` was given.

        Raises:
            ConfigurationError: no key of the ring wrapped it, or it was made for another purpose or row.
        """
        for secret in self._secrets:
            key = _derived(secret, f"wrap|{purpose}")
            if hmac.compare_digest(_key_id(key), wrapped[:KEY_ID_BYTES]):
                nonce = wrapped[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
                try:
                    return AESGCM(key).decrypt(nonce, wrapped[KEY_ID_BYTES + NONCE_BYTES :], aad)
                except InvalidTag:
                    break
        raise ConfigurationError(
            ["No key in LTI_SERVER_SECRET_KEYS opens what is in the database. Add the key that was used before."]
        )


@functools.lru_cache(maxsize=64)
def _derived(secret: bytes, purpose: str) -> bytes:
    """HKDF per purpose, so that no two uses share a key."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"lti-server|{purpose}".encode()).derive(secret)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"id|" + key).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Sealer:
    """AES-GCM under one key, bound to its place: a ciphertext moved to another row does not open."""

    district_id: DistrictId
    _key: bytes = field(repr=False)

    def seal(self, table: str, column: str, row: object, text: str) -> bytes:
        return self.seal_bytes(table, column, row, text.encode())

    def open(self, table: str, column: str, row: object, sealed: bytes) -> str:
        return self.open_bytes(table, column, row, sealed).decode()

    def seal_bytes(self, table: str, column: str, row: object, data: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, data, self._place(table, column, row))

    def open_bytes(self, table: str, column: str, row: object, sealed: bytes) -> bytes:
        """Raises `cryptography.exceptions.InvalidTag` for a ciphertext of another place or key."""
        return AESGCM(self._key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._place(table, column, row))

    def _place(self, table: str, column: str, row: object) -> bytes:
        return f"{self.district_id}|{table}|{column}|{row}".encode()


@dataclass(frozen=True, slots=True)
class PersonKey(Sealer):
    """One person's key. Names, e-mails and free text are under it; destroying it erases them."""


@dataclass(frozen=True, slots=True)
class DistrictKeys(Sealer):
    """A district's data key (inherited) and its pepper, which never changes."""

    _pepper: bytes = field(repr=False)

    @classmethod
    def made(cls, district_id: DistrictId) -> DistrictKeys:
        return cls(district_id, secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))

    def wrapped_by(self, ring: KeyRing) -> tuple[bytes, bytes]:
        """The data key and the pepper, as the district's row keeps them."""
        place = self.district_id.bytes
        return ring.wrap("data_key", place, self._key), ring.wrap("pepper", place, self._pepper)

    def new_person_key(self, person_id: PersonId) -> tuple[PersonKey, bytes]:
        """A key for one person, and its wrapped form for the row."""
        key = secrets.token_bytes(KEY_BYTES)
        return PersonKey(self.district_id, key), self.seal_bytes("person", "wrapped_key", person_id, key)

    def person_key(self, person_id: PersonId, wrapped: bytes) -> PersonKey:
        return PersonKey(self.district_id, self.open_bytes("person", "wrapped_key", person_id, wrapped))

    def fingerprint(self, row: object, name: str, value: str) -> bytes:
        """Says whether one row's value is still the same, and nothing about another row's."""
        return self._hmac("fingerprint", str(row), name, value)

    def lookup(self, name: str, value: str) -> bytes:
        """Equal for equal values in this district alone: for identities, e-mails and shared ids."""
        return self._hmac("lookup", name, value)

    def _hmac(self, *parts: str) -> bytes:
        encoded = [part.encode() for part in parts]
        message = b"".join([len(part).to_bytes(4, "big") + part for part in encoded])
        return hmac.digest(self._pepper, message, "sha256")


def opened(ring: KeyRing, district_id: DistrictId, data_key: bytes, pepper: bytes) -> DistrictKeys:
    """A district's keys from its row; unwrapped once a process and row content."""
    return _opened(ring, district_id, bytes(data_key), bytes(pepper))


@functools.lru_cache(maxsize=1024)
def _opened(ring: KeyRing, district_id: DistrictId, data_key: bytes, pepper: bytes) -> DistrictKeys:
    place = district_id.bytes
    return DistrictKeys(district_id, ring.unwrap("data_key", place, data_key), ring.unwrap("pepper", place, pepper))
