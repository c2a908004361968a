"""Writes the skeleton of a plugin's distribution, whose contract tests pass as they are."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from lti_server.errors import Conflict, InvalidInput
from lti_server.providers.manifest import NAME

_SUFFIX = ".tmpl"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProvider:
    """What was written; `files` are relative to `directory`."""

    name: str
    directory: str
    files: list[str]


def new_provider(name: str, directory: Path) -> NewProvider:
    """Write the skeleton for a provider `name` into `directory`, which must be empty or absent.

    Raises:
        InvalidInput: the name is not one that a plugin can have.
        Conflict: there is something in the directory already; nothing was written.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput("A provider's name is 2 to 40 of a-z, 0-9, - and _, and begins with a letter.")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Conflict(f"There is something at {directory} already. Name another directory with --out.")
    words = name.replace("-", " ").replace("_", " ").split()
    package = f"lti_server_{'_'.join(words)}"
    filling = {
        "name": name,
        "title": " ".join(words).capitalize(),
        "package": package,
        "class_name": "".join(word.capitalize() for word in words),
        "distribution": f"lti-server-{'-'.join(words)}",
    }
    written: list[str] = []
    for path, template in _templates(files("lti_server.providers") / "skeleton", Path()):
        target = Path(*(package if part == "package" else part for part in path.parts))
        (directory / target).parent.mkdir(parents=True, exist_ok=True)
        (directory / target).write_text(Template(template).substitute(filling), encoding="utf-8")
        written.append(str(target))
    (directory / package / "py.typed").touch()
    return NewProvider(name=name, directory=str(directory), files=sorted([*written, f"{package}/py.typed"]))


def _templates(folder: Traversable, path: Path) -> list[tuple[Path, str]]:
    """Every template below the folder: its path without the suffix, and its text."""
    found: list[tuple[Path, str]] = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            found += _templates(entry, path / entry.name)
        elif entry.name.endswith(_SUFFIX):
            found.append((path / entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")))
    return found
