"""The three gates are the only ways in, to rest and out: nothing else makes what they give, or goes around them."""

from __future__ import annotations

import ast
import re

import pytest

from tests.guards.repository import ROOT, shown, sources, tree

# What each gate gives, and the one module that makes it.
MADE_BY = {
    "Collected": "lti_server/privacy/collect.py",
    "Leave": "lti_server/privacy/store_gate.py",
    "Reading": "lti_server/privacy/reading.py",
    "Disclosed": "lti_server/privacy/disclose.py",
}
# Who writes elements of people, and shows a leave for each: another module that does so is a way around the gate.
WRITES = {
    r"INSERT INTO progress_event|progress_event\.insert|insert\(progress_event\)": {"lti_server/progress/store.py"},
    r"INSERT INTO person_field|person_field\.insert|insert\(person_field\)": {"lti_server/accounts/store.py"},
}
# The one call that carries a score.
SENDS = {r"v1\.score\+json": {"lti_server/lti/grade_service.py"}}


@pytest.mark.parametrize("name", MADE_BY)
def test_what_a_gate_gives_is_made_by_the_gate_alone(name: str) -> None:
    makers = {
        shown(path)
        for path in sources("lti_server", "plugins")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    }
    assert makers == {MADE_BY[name]}


@pytest.mark.parametrize("pattern", [*WRITES, *SENDS])
def test_nothing_rests_or_leaves_but_where_the_gates_are_asked(pattern: str) -> None:
    found = {
        shown(path)
        for path in sources("lti_server", "plugins")
        if "migrations" not in path.parts and "demo_lms" not in str(path)
        if re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found == {**WRITES, **SENDS}[pattern]


def test_the_call_that_carries_a_score_takes_what_was_disclosed_and_nothing_else() -> None:
    module = tree(ROOT / "lti_server" / "lti" / "grade_service.py")
    (send,) = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == "send_score"]
    notes = {arg.arg: ast.unparse(arg.annotation) for arg in send.args.args if arg.annotation is not None}
    assert notes == {"url": "str", "score": "Disclosed[bytes]"}


@pytest.mark.parametrize(
    ("module", "functions"),
    [
        ("lti_server/accounts/store.py", ["fields_of"]),
        ("lti_server/progress/store.py", ["summaries", "last_work"]),
    ],
)
def test_every_read_of_personal_data_is_told_its_purpose(module: str, functions: list[str]) -> None:
    found = {node.name: node for node in ast.walk(tree(ROOT / module)) if isinstance(node, ast.FunctionDef)}
    for name in functions:
        notes = [ast.unparse(arg.annotation) for arg in found[name].args.args if arg.annotation is not None]
        defaults = found[name].args.defaults
        assert "Reading" in notes
        assert not defaults
