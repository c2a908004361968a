"""Every rule of the privacy notice has its row: held by tests that exist, pending by name, or out of scope with why."""

from __future__ import annotations

import ast
import re

from tests.guards.repository import ROOT, sources, tree

PAGE = (ROOT / "docs" / "reference" / "privacy-rules.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (A-\d\d) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
OUT_OF_SCOPE = {"A-18", "A-28", "A-50", "A-53", "A-55", "A-60"}
ISSUES = {"SIGNIN", "ROSTER", "CLASSROOM", "REPORT"}
BUILT = {"A-03", "A-24"}


def test_every_rule_has_one_row_in_order() -> None:
    assert [rule for rule, _, _ in ROWS] == [f"A-{number:02d}" for number in range(1, 76)]
    assert all(what.strip() for _, what, _ in ROWS)


def test_every_row_is_held_by_tests_that_exist_or_says_why_not() -> None:
    known = {
        node.name
        for path in sources("tests", "plugins")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    astray = []
    for rule, _, held in ROWS:
        pending = re.fullmatch(r"`pending: (\w+)`", held)
        tests = re.findall(r"`(test_\w+)`", held)
        if rule in OUT_OF_SCOPE:
            good = bool(re.fullmatch(r"out of scope: .{10,}", held))
        elif pending:
            good = pending[1] in ISSUES and rule not in BUILT
        else:
            good = bool(tests) and held == ", ".join(f"`{name}`" for name in tests) and known.issuperset(tests)
        astray += [] if good else [(rule, held)]
    assert astray == []
