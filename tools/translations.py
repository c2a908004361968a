"""The message catalogues: `update` brings them in line with the code, `check` fails where they are not.

A message is what stands in `_`, `gettext` and their kin in Python and templates; what an error says to a person, which
is the text that is passed to a family of `lti_server.errors`; and the titles of those families.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
DOMAINS = {"lti_server": ROOT / "lti_server"}
LOCALES = ("fr",)
METHODS = [("**/skeleton/**", "ignore"), ("**.py", "python"), ("**/templates/**.html", "jinja2")]
DETAIL = {"LaunchRejected": 1, "SignInRefused": 1}
"""Which argument of an error is what it says to a person, where it is not the first."""
HEADER = """msgid ""
msgstr ""
"Language: {locale}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
TECHNICAL = frozenset({"ConfigurationError"})


def main(arguments: list[str]) -> int:
    """`update` or `check`; 1 where something is left to do."""
    if arguments not in (["update"], ["check"]):
        sys.stderr.write("usage: translations.py update|check\n")
        return 2
    faults = [fault for package in packages() for locale in LOCALES for fault in _one(package, locale, arguments[0])]
    for fault in sorted(faults):
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


def packages() -> list[Path]:
    """The server, and each plugin that has pages of its own."""
    own = [path.parent for path in sorted(ROOT.glob("plugins/*/*/translations"))]
    return [ROOT / "lti_server", *own]


def _one(package: Path, locale: str, verb: str) -> Iterator[str]:
    folder = package / "translations" / locale / "LC_MESSAGES"
    po, mo = folder / "messages.po", folder / "messages.mo"
    found = read_po(io.BytesIO(po.read_bytes()), locale=locale) if po.exists() else Catalog(locale=locale)
    wanted = _extracted(package)
    if verb == "update":
        found.update(wanted, no_fuzzy_matching=True)
        found.obsolete.clear()
        folder.mkdir(parents=True, exist_ok=True)
        po.write_bytes(_as_po(found))
        mo.write_bytes(_as_mo(found))
        found = read_po(io.BytesIO(po.read_bytes()), locale=locale)
    where = po.relative_to(ROOT)
    yield from _faults(where, wanted, found)
    if not mo.exists() or mo.read_bytes() != _as_mo(found):
        yield f"{where}: the compiled catalogue is not that of the text; run: make translations"


def _faults(where: Path, wanted: Catalog, found: Catalog) -> Iterator[str]:
    have = {message.id: message for message in found if message.id}
    need = {message.id: message for message in wanted if message.id}
    for key in need.keys() - have.keys():
        yield f"{where}: not there, run make translations: {key!r}"
    for key in have.keys() - need.keys():
        yield f"{where}: no longer said anywhere, run make translations: {key!r}"
    for key in need.keys() & have.keys():
        message = have[key]
        if not _complete(message):
            yield f"{where}: not translated: {key!r}"
        elif message.fuzzy:
            yield f"{where}: fuzzy: {key!r}"
        else:
            yield from (f"{where}: {fault}: {key!r}" for fault in message.check(found))


def _complete(message: Message) -> bool:
    said = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(said)


def _extracted(package: Path) -> Catalog:
    catalog = Catalog(charset="utf-8")
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "lazy_ngettext": (1, 2)}
    extracted = extract_from_dir(package, METHODS, keywords=keywords, comment_tags=("Translators:",))
    for _, _, message, comments, context in extracted:
        catalog.add(message, auto_comments=comments, context=context)
    for text in (*_titles(package), *_details(package)):
        catalog.add(text)
    return catalog


def _families(package: Path) -> list[ast.ClassDef]:
    errors = package / "errors.py"
    found = _parsed(errors).body if errors.exists() else []
    return [node for node in found if isinstance(node, ast.ClassDef)]


def _titles(package: Path) -> Iterator[str]:
    for family in _families(package):
        for line in family.body:
            target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
            value = getattr(line, "value", None)
            if isinstance(target, ast.Name) and target.id == "title" and isinstance(value, ast.Constant):
                yield str(value.value)


def _details(package: Path) -> Iterator[str]:
    """What errors say, where it is known before it is said: constants, numbers too, and sums of them.

    A name is that of its own module first: several have a number of the same name.
    """
    trees = [_parsed(path) for path in sorted(package.rglob("*.py"))]
    everywhere = {name: text for tree in trees for name, text in _constants(tree)}
    families = {node.name for node in _families(package)} - TECHNICAL
    for tree in trees:
        constants = {**everywhere, **dict(_constants(tree))}
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in families:
                place = DETAIL.get(call.func.id, 0)
                text = _text(call.args[place], constants) if len(call.args) > place else None
                if text:
                    yield text


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            text = _text(line.value, {})
            if text is not None:
                yield line.targets[0].id, text


def _text(node: ast.expr, constants: dict[str, str]) -> str | None:
    """The text of an expression, or None where it is only known when it is said."""
    match node:
        case ast.Constant(value=str() | int() as value) if not isinstance(value, bool):
            return str(value)
        case ast.Name(id=name):
            return constants.get(name)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [_text(left, constants), _text(right, constants)]
        case ast.JoinedStr(values=values):
            parts = [_text(one, constants) for one in values]
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _text(value, constants)
        case _:
            return None
    return None if None in parts else "".join(part for part in parts if part)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _as_po(catalog: Catalog) -> bytes:
    """Without dates, versions and line numbers, which differ in every run and say nothing."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, omit_header=True, no_location=True, sort_output=True, width=120)
    return HEADER.format(locale=catalog.locale, plurals=catalog.plural_forms).encode() + buffer.getvalue()


def _as_mo(catalog: Catalog) -> bytes:
    stable = read_po(io.BytesIO(_as_po(catalog)), locale=catalog.locale)
    stable.creation_date = stable.revision_date = LONG_AGO  # else each run makes another file
    buffer = io.BytesIO()
    write_mo(buffer, stable)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
