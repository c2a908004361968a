"""Size and names: the caps that keep every file readable in one sitting."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.guards.repository import shown, sources, tree

LONGEST_MODULE = 400
LONGEST_FUNCTION = 40
OURS = ("lti_server", "plugins", "tests")
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core"})
LEFT_UNDONE = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K|Not[I]mplementedError)\b")
SILENCED = re.compile(r"#\s*(?:type:\s*ignore(?:\[[\w, -]+\])?|noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?)")


def test_no_module_is_longer_than_400_lines() -> None:
    long = {}
    for path in sources(*OURS):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_MODULE:
            long[shown(path)] = lines
    assert not long


def test_no_function_is_longer_than_40_lines() -> None:
    long = {}
    for path in sources(*OURS):
        for function in _functions(tree(path)):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > LONGEST_FUNCTION:
                long[f"{shown(path)}:{function.lineno} {function.name}"] = lines
    assert not long


def test_modules_are_named_for_what_they_hold() -> None:
    vague = []
    for path in sources(*OURS):
        names = {path.stem, *path.parent.parts}
        vague += [shown(path)] if {path.stem, path.parent.name} & EMPTY_NAMES & names else []
    assert not vague


def test_nothing_is_left_undone_in_the_code() -> None:
    left = [
        f"{shown(path)}:{number}"
        for path in sources(*OURS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if LEFT_UNDONE.search(line)
    ]
    assert not left


def test_a_silenced_check_says_why_in_its_line() -> None:
    unexplained = []
    for path in sources(*OURS):
        with tokenize.open(path) as file:
            comments = [t for t in tokenize.generate_tokens(file.readline) if t.type == tokenize.COMMENT]
        for comment in comments:
            rest = SILENCED.sub("", comment.string).strip(" #-–:")
            if SILENCED.search(comment.string) and len(rest.split()) < 2:
                unexplained.append(f"{shown(path)}:{comment.start[0]} {comment.string}")
    assert not unexplained


def test_every_module_says_what_it_owns() -> None:
    silent = [
        shown(path)
        for path in sources("lti_server", "plugins")
        if tree(path).body and not ast.get_docstring(tree(path)) and "tests" not in path.parts
    ]
    assert not silent


def test_no_docstring_only_repeats_the_name() -> None:
    echoes = []
    for path in sources("lti_server", "plugins"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                echoes += [f"{shown(path)}:{node.lineno} {node.name}"] if _echo(node) else []
    assert not echoes


@pytest.mark.parametrize("top", ["lti_server", "plugins"])
def test_nothing_is_printed_but_by_the_command_line(top: str) -> None:
    printing = [
        f"{shown(path)}:{node.lineno}"
        for path in sources(top)
        if "cli" not in path.parts and "tests" not in path.parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _echo(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether the docstring has no word that the name does not have."""
    said = re.findall(r"[a-z]+", (ast.get_docstring(node) or "").lower())
    name = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower())
    filler = {
        "the",
        "a",
        "an",
        "this",
        "it",
        "of",
        "to",
        "for",
        "get",
        "gets",
        "return",
        "returns",
        "init",
        "initialize",
    }
    return bool(said) and {word.rstrip("s") for word in said if word not in filler} <= {
        word.rstrip("s") for word in name
    }
