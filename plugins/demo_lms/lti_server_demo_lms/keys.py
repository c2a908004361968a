"""The platform's own signing key, and the public keys of its tool."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import requests
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from lti_server_demo_lms.store import Store

KEY_BITS = 2_048
FETCH_TIMEOUT_S = 5.0
FRESH_S = 600.0
REFETCH_S = 1.0


class PlatformKey:
    """Made at the first start; the same after any other."""

    def __init__(self, store: Store) -> None:
        self.current = RSAKey.import_key(json.loads(store.secret("signing_key", _new_key)))
        self.kid = self.current.thumbprint()

    def jwks(self) -> dict[str, Any]:
        """The JSON Web Key Set, the public half alone (RFC 7517, 5)."""
        public = self.current.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "alg": "RS256", "use": "sig"}]}


def _new_key() -> str:
    return json.dumps(RSAKey.generate_key(KEY_BITS).as_dict(private=True))


class KeysUnavailable(Exception):
    """The tool's key set could not be read."""


class ToolKeys:
    """Kept for ten minutes, and fetched again for a key id that is not in it, once a second at most."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: dict[str, RSAKey] = {}
        self._fetched_s: float | None = None

    def find(self, kid: str) -> RSAKey | None:
        """A key by its id, or None where the tool does not publish it.

        Raises:
            KeysUnavailable: the tool does not answer, or not with a key set.
        """
        with self._lock:
            now_s = time.monotonic()
            age_s = FRESH_S if self._fetched_s is None else now_s - self._fetched_s
            if age_s >= FRESH_S or (kid not in self._keys and age_s >= REFETCH_S):
                self._keys = _fetch(self._url)
                self._fetched_s = now_s
            return self._keys.get(kid)


def _fetch(url: str) -> dict[str, RSAKey]:
    try:
        with requests.Session() as session:
            # A proxy of the environment cannot reach a tool on this computer.
            session.trust_env = False
            with session.get(url, timeout=FETCH_TIMEOUT_S, allow_redirects=False) as response:
                response.raise_for_status()
                listed = response.json()["keys"]
        return {
            str(entry["kid"]): RSAKey.import_key(entry)
            for entry in listed
            if entry.get("kty") == "RSA" and entry.get("kid")
        }
    except (requests.RequestException, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise KeysUnavailable(f"The tool's key set cannot be read ({type(error).__name__}).") from error
