"""The keyed hash of an e-mail address lets its owner in and keeps a block: nothing else asks for it (A-09)."""

from __future__ import annotations

import ast

from tests.guards.repository import ROOT, sources, tree

KNOWN = {
    "lti_server/accounts/email_sign_in.py": "who comes in by it",
    "lti_server/accounts/newcomers.py": "who comes in by it already, and registers in another way (A-13)",
    "lti_server/accounts/blocks.py": "whom a guardian's block keeps out",
}


def test_an_address_is_looked_for_to_let_somebody_in_and_to_keep_a_block_alone() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sources("lti_server")
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", "") == "lookup"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value == "email"
    }
    assert found == set(KNOWN)
