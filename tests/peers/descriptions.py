"""What a vendor's own description (OpenAPI 2) says of an answer, where somebody has it: no fake may drift from it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = "LTI_SERVER_TEST_DESCRIPTIONS"
"""The environment variable that names a folder with descriptions; they are the vendors' and no part of this project."""
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "object": (dict,), "array": (list,), "integer": (int,), "number": (int, float), "boolean": (bool,)
}  # fmt: skip


def description(name: str) -> dict[str, Any]:
    """The description, or the test is left out with a reason."""
    folder = os.environ.get(FOLDER)
    if not folder or not (Path(folder) / name).is_file():
        pytest.skip(f"{FOLDER} names no folder with {name}")
    found: dict[str, Any] = yaml.safe_load((Path(folder) / name).read_text(encoding="utf-8"))
    return found


def faults(value: object, schema: Mapping[str, Any], definitions: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """One sentence for each place where an answer is not as described; a member that is not described is one, too."""
    if "$ref" in schema:
        named = definitions[schema["$ref"].rpartition("/")[2]]
        schema = {**named, **{name: said for name, said in schema.items() if name != "$ref"}}
    if value is None:
        if not schema.get("x-nullable"):
            yield f"{at} is null"
        return
    wanted = TYPES.get(schema.get("type", ""), (object,))
    if not isinstance(value, wanted):
        yield f"{at} is a {type(value).__name__}"
    elif isinstance(value, dict):
        yield from _in_object(value, schema.get("properties", {}), definitions, at)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from faults(one, schema.get("items", {}), definitions, f"{at}/{number}")
    elif value not in schema.get("enum", [value]):
        yield f"{at} is none of its words"
    elif not re.fullmatch(schema.get("pattern", ".*"), str(value), re.DOTALL):
        yield f"{at} does not fit its pattern"


def _in_object(
    value: Mapping[str, object], described: Mapping[str, Any], definitions: Mapping[str, Any], at: str
) -> Iterator[str]:
    for name, one in value.items():
        if name in described:
            yield from faults(one, described[name], definitions, f"{at}/{name}")
        elif described:
            yield f"{at}/{name} is not described"
