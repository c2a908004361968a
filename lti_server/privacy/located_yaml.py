"""YAML whose every value knows its line, read strictly: no key twice, no alias, no tag, no surprise type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str, ...]
LARGEST_FILE = 256 * 1024
DEEPEST = 20
LONGEST_KEY = 100
# YAML 1.1 also takes 0x48, 072, 1:12 and 1_000 for numbers and yes, on and off for truth values. A contract does not:
# each of these stays the text that it is, and is refused where a number or a truth value is wanted.
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
# A contract says what its reader sees: none of its characters turns the order of others or hides, none is half of one.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNFIT_SAID = "has a character that is not seen and changes what is read; take it out."
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: its line (1 is the first), its place, what to do, and the clause that it is about."""

    line: int
    place: Path
    message: str
    clause: str = ""

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901)."""
        return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in self.place)

    def __str__(self) -> str:
        about = f" ({self.clause})" if self.clause else ""
        return f"line {self.line}: {'.'.join(self.place) or 'the file'}: {self.message}{about}"


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
    """The document and every fault of its form; no document where it cannot be read at all."""
    if len(text.encode(errors="replace")) > LARGEST_FILE:
        return None, [Fault(1, (), f"it is larger than {LARGEST_FILE // 1024} kB.")]
    if (found := _TURNS.search(text)) is not None:
        return None, [Fault(text.count("\n", 0, found.start()) + 1, (), _UNFIT_SAID)]
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it has a character that is not taken"
        return None, [Fault(1 if mark is None else mark.line + 1, (), f"this is not YAML: {problem}.")]
    except RecursionError:
        return None, [Fault(1, (), "it nests too deep.")]
    if node is None:
        return None, [Fault(1, (), "it is empty.")]
    reading = _Reading(lines={}, faults=[], seen=set())
    return Located(reading.value(node, (), 1), reading.lines), reading.faults


@dataclass(frozen=True, slots=True)
class _Reading:
    """One document on its way from nodes to plain values."""

    lines: dict[Path, int]
    faults: list[Fault]
    seen: set[int]

    def value(self, node: yaml.Node, path: Path, after: int) -> Any:
        """The plain value; `after` is the line of its key or list, for an alias has the mark of what it stands for."""
        line = max(after, node.start_mark.line + 1)
        self.lines[path] = line
        if id(node) in self.seen:
            self.faults.append(Fault(line, path, "aliases (*name) are not taken; write the value out."))
            return None
        self.seen.add(id(node))
        if len(path) > DEEPEST:
            self.faults.append(Fault(line, path, "it nests too deep."))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, str(i)), line) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or not _is_key(key.value):
                self.faults.append(Fault(line, path, f"a key must be a word of at most {LONGEST_KEY} characters."))
                continue
            place = (*path, key.value)
            if key.value in found:
                self.faults.append(Fault(line, place, "this key stands twice."))
                continue
            found[key.value] = self.value(item, place, line)
            # A value may begin below its key; a fault is looked for at the key.
            self.lines[place] = line
        return found

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        """Text, number, truth value or null; a plain date stays the text that it is."""
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str" | "timestamp":
                if _UNFIT.search(node.value):
                    self.faults.append(Fault(node.start_mark.line + 1, path, _UNFIT_SAID))
                return node.value
            case "null":
                return None
            case "bool":
                return _TRUTH.get(node.value, node.value)
            case "int":
                return int(node.value) if _WHOLE.fullmatch(node.value) else node.value
            case "float":
                return _fraction(node.value)
        self.faults.append(Fault(node.start_mark.line + 1, path, f"the tag {node.tag[:LONGEST_KEY]} is not taken."))
        return None


def _is_key(text: str) -> bool:
    return 0 < len(text) <= LONGEST_KEY and not _UNFIT.search(text)


def _fraction(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
