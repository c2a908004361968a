"""Codes of deletions that a provider asked for: whoever holds one reads on a page what became of it."""

from __future__ import annotations

import hmac
import re

from lti_server.privacy.crypto import KeyRing

_CODE = re.compile("[0-9a-f]{48}")
_HALF = 24


class DeletionCodes:
    """Made of what was asked, under the server's key: the same question has the same code, and nobody guesses one.

    The second half proves the first, so that a code about somebody who is not known here needs no row.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._keys = ring.signing_keys("deletion-code")

    def of(self, asked: str) -> str:
        """The code of one question, as its signal identifies it."""
        first = hmac.digest(self._keys[0], f"code\n{asked}".encode(), "sha256").hex()[:_HALF]
        return first + _check(self._keys[0], first)

    def made_here(self, code: str) -> bool:
        """Whether this server gave the code to anybody."""
        if not _CODE.fullmatch(code):
            return False
        return any(hmac.compare_digest(code[_HALF:], _check(key, code[:_HALF])) for key in self._keys)


def _check(key: bytes, first: str) -> str:
    return hmac.digest(key, f"check\n{first}".encode(), "sha256").hex()[:_HALF]
