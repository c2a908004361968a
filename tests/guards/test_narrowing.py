"""Whatever narrows what may be known, used or disclosed is in the journal, or says why a restore needs no line of it.

Every use case writes its act into the log (law 12), so a new act in the code is a new row here: with the kinds of the
journal's lines that it writes, or with the reason why a backup from before it opens nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from lti_server.privacy.journal import JournalKind as Kind
from tests.guards.repository import ROOT, sources, tree

LOOK = "looks, and changes nothing of what may be known"
WIDENS = "lets more be known, so a backup from before it is the narrower"
PASSES = "passes the gates of its moment, and changes nothing of what they let through"
ENDS = "sessions, tokens and invitations end with every restore"
JOURNALED: dict[str, set[Kind]] = {
    "person erase": {Kind.ERASURE},
    "person block": {Kind.BLOCK},
    "person unblock": {Kind.UNBLOCK},
    "person restrict": {Kind.RESTRICTION, Kind.UNRESTRICTION},
    "person unmerge": {Kind.UNMERGE},
    "age state": {Kind.AGE_STATEMENT},
    "age statement withdraw": {Kind.AGE_STATEMENT},
    "person correct": {Kind.CORRECTION, Kind.UNCORRECTION},
    "grant revoke": {Kind.REVOCATION},
    "grant narrow": {Kind.NARROWING},
    "grant suspend": {Kind.SUSPENSION},
    "grant resume": {Kind.RESUMPTION},
    "platform remove": {Kind.REVOCATION},
    "platform register": {Kind.READDRESSING},
    "signal": {Kind.SUSPENSION, Kind.REVOCATION, Kind.WAY_ENDED, Kind.WAY_HELD, Kind.WAY_FREED},
    "account disconnect": {Kind.WAY_ENDED},
    "contract sign": {Kind.CONTRACT},
    "contract amend": {Kind.CONTRACT},
    "contract join": {Kind.CONTRACT},
    "policy announce": {Kind.NOTICE},
    "signup disable": {Kind.DESK_CLOSED},
    "policy withdraw": {Kind.CONSENT_WITHDRAWAL},
    "request answer": {Kind.ANSWER},
    "own request answer": {Kind.ANSWER},
    "disposition request": {Kind.DISPOSITION},
    "disposition run": {Kind.ERASURE},
}
WITHOUT: dict[str, str] = {
    **dict.fromkeys(
        (
            "audit list", "audit verify", "backup create", "contract see", "contract show", "data-privacy",
            "disposition certificate", "disposition list", "disposition request --dry-run", "disposition return",
            "district list", "grade read", "grant list", "grant narrow --dry-run", "grant revoke --dry-run",
            "grant show", "keys list", "log extract", "log see", "own data export", "own data see",
            "own request see", "people search", "person blocks", "person export", "person found", "person preview",
            "person show", "platform inspect", "platform list", "provider check", "requests see",
            "retention run --dry-run", "roster runs", "roster show", "section list", "section show",
            "session list", "signals show", "signals verify", "signup show", "age list",
        ),
        LOOK,
    ),
    **dict.fromkeys(
        (
            "district add", "grant adopt", "own request", "platform add", "platform approve", "policy consent",
            "request open", "person merge", "account link", "signup enable",
        ),
        WIDENS,
    ),
    **dict.fromkeys(("lesson site", "launch", "deep-linking", "notice", "own age say"), PASSES),
    **dict.fromkeys(
        ("admin invite", "confidence promise", "platform invite", "people open", "session end", "sign in"), ENDS
    ),
    **dict.fromkeys(
        ("incident open", "incident confirm", "incident delay", "incident notify", "incident close"),
        "is told in the log alone, and changes nothing of what may be known",
    ),
    **dict.fromkeys(("audit checkpoint", "log checkpoint"), "is a file that the district keeps"),
    **dict.fromkeys(("audit rotate-key", "keys rotate", "keys rewrap"), "is about this server's own keys"),
    **dict.fromkeys(("backup restore", "backup replay"), "is the replay"),
    **dict.fromkeys(("retention", "disposed"), "runs again by what stands, at the end of the replay"),
    "roster sync": "every class is read again after the replay, and who left it leaves",
    "grant revoked": "is the second phase of a revocation, whose line the first has written",
    "token given back": "is a call to a provider; a restore drops the tokens that waited",
    "provider connect": "a configuration that changed is the former one again, and the documents say: connect it again",
    "signals register": "the address stands at the provider, which no restore here changes",
    "tenant claim": "is over after ten minutes; what it connects is connected as ever",
    "platform anonymous": "nothing is saved or read of whoever comes without a name",
    "platform columns": "takes columns of a gradebook away, which are the school's",
}  # fmt: skip


def acts_in(module: ast.Module, everywhere: dict[str, set[int]]) -> Iterator[str]:
    """The acts that a module names: what it gives, in whatever call, for a parameter or a field called `act`."""
    takes = {**everywhere, **takers([module], private=True)}
    named = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = [one.value for one in call.keywords if one.arg == "act"]
        given += [call.args[place] for place in takes.get(name, ()) if place < len(call.args)]
        for value in given:
            for one in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                said = one.value if isinstance(one, ast.Constant) else named.get(getattr(one, "id", ""))
                if isinstance(said, str):
                    yield said


def takers(modules: Sequence[ast.Module], *, private: bool) -> dict[str, set[int]]:
    """The functions and records that take an `act`, and at which places; a private one is its module's."""
    found: dict[str, set[int]] = {}
    for node in (node for module in modules for node in ast.walk(module)):
        if isinstance(node, ast.FunctionDef):
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args) if one.arg not in ("self", "cls")]
        elif isinstance(node, ast.ClassDef):
            fields = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
            names = [one.id for one in fields if isinstance(one, ast.Name)]
        else:
            continue
        if "act" in names and node.name.startswith("_") is private:
            found.setdefault(node.name, set()).add(names.index("act"))
    return found


def found() -> set[str]:
    paths = [path for path in sources("lti_server") if not {"testing", "skeleton"} & set(path.parts)]
    everywhere = takers([tree(path) for path in paths], private=False)
    return {act for path in paths for act in acts_in(tree(path), everywhere)}


def test_every_act_of_the_log_says_which_lines_it_writes_or_why_a_restore_needs_none() -> None:
    assert not set(JOURNALED) & set(WITHOUT)
    assert sorted(found()) == sorted({*JOURNALED, *WITHOUT})


def test_a_new_act_would_be_found() -> None:
    planted = (
        "def hide(self):\n    log.record(connection, log.entry(keys, act='person hide', decision='allowed'))",
        "ACT = 'person hide'\ndef hide(self):\n    entry(keys, act=ACT)",
        "def _told(self, by, act):\n    ...\ndef hide(self):\n    self._told(by, 'person hide')",
        "def hide(self):\n    note(house, owner, 'person hide', on=connection)",
        "def hide(self):\n    asked = Asked(by=by, act='person hide' if hides else 'person hide', reason=reason)",
    )
    everywhere = {"note": {2}}
    assert [set(acts_in(ast.parse(text), everywhere)) for text in planted] == [{"person hide"}] * len(planted)


def test_each_kind_of_line_is_written_by_an_act_and_done_again_by_a_test_with_a_backup() -> None:
    assert set().union(*JOURNALED.values()) == set(Kind)
    code = "".join(path.read_text(encoding="utf-8") for path in sources("lti_server"))
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/functional/test_replay*.py"))
    written = {kind for kind in Kind if re.search(rf"\.append\(\s*JournalKind\.{kind.name}\b", code)}
    again = {kind for kind in Kind if f"monday.restore(JournalKind.{kind.name}" in tests}
    assert (written, again) == (set(Kind), set(Kind))
