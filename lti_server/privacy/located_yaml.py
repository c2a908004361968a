"""YAML whose every value knows its line, read strictly: no key twice, no alias, no tag, no surprise type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str, ...]
LARGEST_FILE = 256 * 1024
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: its line (1 is the first), its place, and what to do."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path or 'the file'}: {self.message}"


@dataclass(frozen=True, slots=True)
class Located:
    """Plain values (dict, list, str, int, float, bool, None, date as text) and the line of each path."""

    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> tuple[Located | None, list[Fault]]:
    """The document, or every fault of its form."""
    if len(text.encode()) > LARGEST_FILE:
        return None, [Fault(1, "", f"the file is larger than {LARGEST_FILE // 1024} kB.")]
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        return None, [Fault(1 if mark is None else mark.line + 1, "", f"this is not YAML: {problem}.")]
    except RecursionError:
        return None, [Fault(1, "", "it nests too deep.")]
    if node is None:
        return None, [Fault(1, "", "the file is empty.")]
    faults: list[Fault] = []
    lines: dict[Path, int] = {}
    value = _value(node, (), lines, faults, set())
    return Located(value, lines), faults


def _value(node: yaml.Node, path: Path, lines: dict[Path, int], faults: list[Fault], seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    lines[path] = line
    if id(node) in seen:
        faults.append(Fault(line, ".".join(path), "aliases (*name) are not taken; write the value out."))
        return None
    seen.add(id(node))
    if len(path) > DEEPEST:
        faults.append(Fault(line, ".".join(path), "it nests too deep."))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, faults, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, str(i)), lines, faults, seen) for i, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node, path, faults)


def _mapping(
    node: yaml.MappingNode, path: Path, lines: dict[Path, int], faults: list[Fault], seen: set[int]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            faults.append(Fault(line, ".".join(path), "a key must be a word."))
            continue
        if key.value in found:
            faults.append(Fault(line, ".".join((*path, key.value)), "this key stands twice."))
        found[key.value] = _value(item, (*path, key.value), lines, faults, seen)
    return found


def _scalar(node: yaml.ScalarNode, path: Path, faults: list[Fault]) -> Any:
    """Text, number, truth value or null; a plain date stays the text that it is."""
    loader = yaml.SafeLoader("")
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    if tag in ("str", "timestamp"):
        return node.value
    if tag in ("int", "float", "bool", "null"):
        try:
            return loader.construct_object(node, deep=True)
        except (ValueError, yaml.YAMLError):
            faults.append(Fault(node.start_mark.line + 1, ".".join(path), "this value cannot be read."))
            return None
    faults.append(Fault(node.start_mark.line + 1, ".".join(path), f"the tag {node.tag} is not taken."))
    return None
