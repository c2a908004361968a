"""Every place from which something leaves this process is known, with what of people it can carry (law 3)."""

from __future__ import annotations

import ast

from tests.guards.repository import ROOT, shown, sources, tree

# Each module that calls another system, and why nothing of a person leaves there but by the disclose gate.
NOTHING = {
    "lti_server/cli/doctor.py": "asks whether ports and the mail server answer",
    "lti_server/lti/key_sets.py": "reads public keys",
    "lti_server/lti/memberships.py": "asks a platform for a section's members; the address is the platform's own",
    "lti_server/lti/notice_handlers.py": "registers this tool's address with a platform",
    "lti_server/lti/registration_invitations.py": "registers this tool with a platform",
    "lti_server/lti/tokens.py": "asks for a token with an assertion about this tool",
    "lti_server/incidents.py": "tells a district's own staff of an incident, with numbers alone",
    "lti_server/privacy/inference.py": "tells a district's own staff of a suspended connection",
    "lti_server/providers/connections.py": "is the guarded connection itself",
    "lti_server/providers/transport.py": "is the transport itself",
    "lti_server/mail.py": "sends what the modules above have queued",
}
DISCLOSED = {"lti_server/lti/grade_service.py": ("send_score", "call")}
LIBRARIES = ("requests", "smtplib", "urllib.request", "http.client", "socket", "httpx", "aiohttp", "urllib3")
CALLS = frozenset(
    {"request", "pages", "document", "get", "post", "put", "patch", "delete", "send", "send_message", "urlopen",
     "create_connection", "Session", "SMTP", "SMTP_SSL", "connect", "sendall"}
)  # fmt: skip


def ways_out(module: ast.Module) -> list[str]:
    """The calls of a module that reach beyond the process, as they are written."""
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.startswith(LIBRARIES)
    } | {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(LIBRARIES)
        for alias in node.names
    }
    return [
        ast.unparse(node.func) for node in ast.walk(module) if isinstance(node, ast.Call) and _leaves(node, imported)
    ]


def _leaves(call: ast.Call, imported: set[str]) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in imported and call.func.id in CALLS
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in CALLS:
        return False
    by = ast.unparse(call.func.value)
    root = by.partition(".")[0].partition("(")[0]
    return root in imported or any(word in by.casefold() for word in ("transport", "mail", "smtp", "server.send"))


def found() -> dict[str, list[str]]:
    product = [path for path in sources("lti_server") if "testing" not in path.parts and "skeleton" not in path.parts]
    return {shown(path): ways for path in product if (ways := ways_out(tree(path)))}


def test_nothing_leaves_but_from_the_places_that_are_known() -> None:
    assert sorted(found()) == sorted({*NOTHING, *DISCLOSED})


def test_a_new_way_out_would_be_found() -> None:
    planted = (
        "import requests\nrequests.post('https://x.example', data=name)",
        "from urllib.request import urlopen\nurlopen('https://x.example?' + name)",
        "def tell(self, name):\n    self._transport.request('POST', URL, json={'name': name})",
        "def tell(self, name):\n    self._mail().send(connection, district, Message(to=name))",
        "import smtplib\nsmtplib.SMTP(host).send_message(mail)",
    )
    assert all(ways_out(ast.parse(text)) for text in planted)


def test_what_may_tell_of_a_person_is_a_disclosure_by_its_type() -> None:
    for path, functions in {
        "lti_server/lti/grade_service.py": {"send_score": ("score", "Disclosed[bytes]")},
        "lti_server/lti/results.py": {"of": ("who", "Disclosed[str]")},
    }.items():
        for node in ast.walk(tree(ROOT / path)):
            if isinstance(node, ast.FunctionDef) and node.name in functions:
                name, kind = functions[node.name]
                notes = {arg.arg: ast.unparse(arg.annotation) for arg in node.args.args if arg.annotation}
                assert notes[name] == kind


def test_a_call_of_a_gradebook_that_is_no_disclosure_carries_a_column_alone() -> None:
    public = {
        node.name: {arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)}
        for node in ast.walk(tree(ROOT / "lti_server/lti/grade_service.py"))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert "body" not in {name for arguments in public.values() for name in arguments}
    assert {name for name, arguments in public.items() if "line_item" in arguments} == {"call"}
