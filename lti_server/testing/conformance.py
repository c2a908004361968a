"""Whether a value is a record of the SPI, through and through."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime


def faults_of(value: object, expected: object, at: str) -> Iterator[str]:
    """One sentence for each place where `value` is not of the `expected` type; subclasses do not count."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (types.UnionType, typing.Union):
        if all(any(True for _ in faults_of(value, one, at)) for one in arguments):
            yield f"{at} is a {type(value).__name__}"
    elif origin in (tuple, frozenset):
        if type(value) is origin:
            yield from _in_all(value, arguments[0], f"an entry of {at}")
        else:
            yield f"{at} is a {type(value).__name__}, not a {origin.__name__}"
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        if isinstance(value, Mapping):
            yield from _in_all(tuple(value), arguments[0], f"a key of {at}")
            yield from _in_all(tuple(value.values()), arguments[1], f"an entry of {at}")
        else:
            yield f"{at} is a {type(value).__name__}, not a mapping"
    else:
        yield from _of_plain(value, expected, at)


def _in_all(values: object, expected: object, at: str) -> Iterator[str]:
    assert isinstance(values, tuple | frozenset)
    for one in values:
        yield from faults_of(one, expected, at)


def _of_plain(value: object, expected: object, at: str) -> Iterator[str]:
    if type(value) is not expected:
        yield f"{at} is a {type(value).__name__}, not a {getattr(expected, '__name__', expected)}"
    elif isinstance(value, datetime) and value.tzinfo is None:
        yield f"{at} has no time zone"
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = typing.get_type_hints(type(value))
        for item in dataclasses.fields(value):
            yield from faults_of(getattr(value, item.name), hints[item.name], f"{at}.{item.name}")
