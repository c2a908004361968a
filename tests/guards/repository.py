"""The repository as the guards see it: tracked files, and the syntax trees of its Python."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = frozenset(
    {".py", ".md", ".toml", ".txt", ".in", ".sql", ".html", ".css", ".js", ".yaml", ".yml", ".po", ".mako"}
)


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Files that git has or would take; everything below the root where there is no git (a source archive)."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return tuple(path for path in sorted(ROOT.rglob("*")) if path.is_file() and not _made(path))
    return tuple(ROOT / name for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file())


def texts() -> Iterator[tuple[Path, str]]:
    """Every tracked text that people wrote; vendored files are their authors'."""
    for path in tracked():
        named = path.suffix in TEXT or path.name in ("Makefile", "run", ".gitignore")
        if named and "vendor" not in path.parts:
            yield path, path.read_text(encoding="utf-8")


def sources(*tops: str) -> list[Path]:
    """Python files below these folders of the repository."""
    wanted = [ROOT / top for top in tops]
    return [path for path in tracked() if path.suffix == ".py" and any(path.is_relative_to(top) for top in wanted)]


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """A path as it is written in a message: from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def _made(path: Path) -> bool:
    inside = path.relative_to(ROOT).parts
    return any(part.startswith(".") and part != ".ci" for part in inside) or inside[0] in ("var", "build", "dist")
