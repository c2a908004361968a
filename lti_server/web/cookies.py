"""Cookies whose value is a token of ours: the line is put together from parts that Werkzeug wrote once."""

from __future__ import annotations

import functools
import re
from typing import Any

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response

# Of the characters that a cookie may hold unquoted (RFC 6265, 4.1.1), those that tokens of ours are made of.
_PLAIN = re.compile(r"[A-Za-z0-9_-]*")


def set_token(response: Response, name: str, value: str, **attributes: Any) -> None:
    """As `Response.set_cookie`, for a name and a value that need no quoting.

    Raises:
        ValueError: one of them would need it.
    """
    if not (_PLAIN.fullmatch(name) and _PLAIN.fullmatch(value)):
        raise ValueError("a token has letters, digits, '-' and '_' alone")
    response.headers.add("Set-Cookie", f"{name}={value}{_attributes(tuple(attributes.items()))}")


def forget_token(response: Response, name: str, **attributes: Any) -> None:
    """As `Response.delete_cookie`."""
    set_token(response, name, "", expires=0, max_age=0, **attributes)


@functools.lru_cache(maxsize=256)
def _attributes(attributes: tuple[tuple[str, Any], ...]) -> str:
    return dump_cookie("name", "", **dict(attributes)).removeprefix("name=")
