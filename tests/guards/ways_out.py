"""Finds, in the syntax tree, every call by which something can leave this process: over a network, through a program,
into a file, or by a browser to another site.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.guards.repository import ROOT, shown, sources, tracked, tree

# What opens connections or starts programs, whoever wrote it; `urllib.parse` and `urllib.error` do neither.
CLIENTS = (
    "aiohttp", "authlib", "ftplib", "http.client", "httpx", "pylti1p3.service_connector", "requests",
    "smtplib", "socket", "socketserver", "subprocess", "urllib.request", "urllib3", "websockets", "xmlrpc",
)  # fmt: skip
OTHERS = frozenset(
    {"__import__", "import_module", "system", "popen", "spawnv", "execv", "posix_spawn", "open_connection",
     "create_engine", "create_subprocess_exec", "create_subprocess_shell"}
)  # fmt: skip
FILES = frozenset({"write_text", "write_bytes", "fdopen"})
HEADERS = frozenset({"Access-Control-Allow-Origin", "Content-Disposition", "Location"})
# In a template: what posts or leads a browser to an address that is none of this server's routes.
ELSEWHERE = re.compile(r"""(?:\b(?:action|formaction)\s*=\s*["']|http-equiv="refresh"[^>]*url=)\{\{(?!\s*url_for\()""")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Way:
    """One call as it is written, in the function that makes it (`path Class.function`)."""

    where: str
    call: str
    disclosed: bool = field(compare=False)
    """Whether that function is given what leaves as `Disclosed[…]`."""


@functools.cache
def sending() -> frozenset[str]:
    """The methods by which the house's own parts send, whatever a part is called where it is used.

    A method that takes what it sends as `Disclosed[…]` is none: the types hold its callers.
    """
    spi, service = "lti_server/providers/spi.py", "lti_server/lti/grade_service.py"
    of_plugins = [
        one
        for name in ("Transport", "GradeSink", "GrantRevoker", "LoginProvider", "SignalStream", "TenantList")
        for one in _of(spi, name)
    ]
    of_grades = [one for one in _of(service, "GradeService") if any(arg.arg == "url" for arg in one.args.args)]
    own = {one.name for one in (*of_plugins, *of_grades) if not _is_given_a_disclosure(one)}
    return frozenset(own | {"send", "sendall", "send_message"})


def _of(path: str, name: str) -> list[ast.FunctionDef]:
    """The methods of a class of the product."""
    (found,) = [one for one in ast.walk(tree(ROOT / path)) if isinstance(one, ast.ClassDef) and one.name == name]
    return [one for one in found.body if isinstance(one, ast.FunctionDef)]


def ways_out(module: ast.Module, path: str) -> Iterator[Way]:
    """Every way out of one module."""
    clients = set(_clients(module))
    for scope, function, node in _nodes(module, [], None):
        call = _call(node, clients)
        if call:
            yield Way(where=f"{path} {scope}".strip(), call=call, disclosed=_is_given_a_disclosure(function))


@functools.cache
def found() -> frozenset[Way]:
    """Every way out of the server, and of the plugins that it runs; `testing` is run by plugin authors alone."""
    modules = {
        shown(path): tree(path)
        for path in sources("lti_server", "plugins")
        if not {"testing", "tests"} & set(path.parts)
    }
    calls = {way for path, module in modules.items() for way in ways_out(module, path)}
    return frozenset(calls | set(of_templates(_templates())))


def of_templates(texts: Mapping[str, str]) -> Iterator[Way]:
    for path, text in texts.items():
        if ELSEWHERE.search(text):
            yield Way(where=path, call="another site", disclosed=False)


def _templates() -> dict[str, str]:
    return {
        shown(path): path.read_text(encoding="utf-8")
        for path in tracked()
        if path.suffix == ".html" and path.is_relative_to(ROOT / "lti_server")
    }


def _nodes(
    node: ast.AST, scope: list[str], function: Function | None
) -> Iterator[tuple[str, Function | None, ast.AST]]:
    """Each node with the classes and functions around it, and the outermost of these functions."""
    for child in ast.iter_child_nodes(node):
        yield ".".join(scope), function, child
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = None if isinstance(child, ast.ClassDef) else child
            yield from _nodes(child, [*scope, child.name], function or inner)
        else:
            yield from _nodes(child, scope, function)


def _clients(module: ast.Module) -> Iterator[str]:
    """The names under which a module has such a library, or a part of one."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (one.asname or one.name.partition(".")[0] for one in node.names if _is_client(one.name))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                if _is_client(node.module) or _is_client(f"{node.module}.{one.name}"):
                    yield one.asname or one.name


def _is_client(name: str) -> bool:
    return any(name == one or name.startswith(one + ".") for one in CLIENTS)


def _call(node: ast.AST, clients: set[str]) -> str:
    """How a node leads out, as it is written; empty where it does not."""
    if isinstance(node, ast.Constant) and node.value in HEADERS:
        return str(node.value)
    if isinstance(node, ast.ClassDef):
        return next((ast.unparse(one) for one in node.bases if _root(one) in clients), "")
    if not isinstance(node, ast.Call):
        return ""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else _root(node.func)
    root = _root(node.func)
    leads = (
        name in OTHERS | FILES,
        isinstance(node.func, ast.Attribute) and name in sending(),
        root in clients or (root, name) == ("psycopg", "connect"),
        _leads_elsewhere(name, node),
        _opens_for_writing(name, node),
    )
    return ast.unparse(node.func) if any(leads) else ""


def _root(node: ast.AST) -> str:
    """The name that an expression like `a.b.c` begins with; a call within has a root of its own."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _leads_elsewhere(name: str, call: ast.Call) -> bool:
    """A redirection to anything but a route of this server."""
    to_a_route = bool(call.args) and ast.unparse(call.args[0]).startswith("url_for(")
    return name in {"redirect", "_redirect"} and not to_a_route


def _opens_for_writing(name: str, call: ast.Call) -> bool:
    said = (*call.args, *(one.value for one in call.keywords))
    modes = [one.value for one in said if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return name == "open" and any(re.fullmatch(r"[rbt]*[wax+][wbt+]*", one) for one in modes)


def _is_given_a_disclosure(function: Function | None) -> bool:
    if function is None:
        return False
    given = (*function.args.args, *function.args.kwonlyargs)
    return any(one.annotation is not None and ast.unparse(one.annotation).startswith("Disclosed[") for one in given)
