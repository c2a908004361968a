"""One JSON text for one value (RFC 8785), so that a signature is over what is said and not over how it was laid out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LARGEST = 2**53 - 1  # beyond it, other readers of JSON round (RFC 8785 3.2.2.3)
DEEPEST = 16


def canonical(value: object) -> bytes:
    """UTF-8 of the canonical form: members sorted, no white space.

    A part of RFC 8785: names of members are ASCII, and no number has a fraction, so that every implementation agrees.

    Raises:
        ValueError: the value holds what that part of JSON does not.
    """
    _check(value, DEEPEST)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()  # a lone surrogate has no UTF-8: UnicodeEncodeError is a ValueError


def strictly_read(text: bytes) -> Any:
    """A JSON value, where no member is named twice and no number is one that JSON does not have.

    Raises:
        ValueError: it is not such JSON in UTF-8.
    """
    try:
        return json.loads(text.decode(), object_pairs_hook=_members, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) and name.isascii() for name in value):
            raise ValueError("a member's name is not ASCII")
        for inner in value.values():
            _check(inner, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, depth - 1)
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > LARGEST:
            raise ValueError("a number is too large to be exact everywhere")
    elif not (value is None or isinstance(value, str | bool)):
        raise ValueError(f"a value is of the kind {type(value).__name__}")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is named twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
