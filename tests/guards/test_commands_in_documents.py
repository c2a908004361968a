"""What the documents tell people to type is typed here.

A page takes part by putting `<!-- run -->` on the line before a block of `console`: its lines that begin with `$ `
are run in order, in one empty folder a page, and each must succeed. `<!-- file: NAME -->` before a block writes it to
a file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lti_server.postgres import BundledPostgres
from tests.guards.repository import shown, tracked

BLOCK = re.compile(r"^<!-- (run|file: (?P<name>[\w./-]+)) -->\n+```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in tracked() if page.suffix == ".md" and "<!-- run -->" in page.read_text(encoding="utf-8")]


def test_some_page_has_commands_that_run() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_the_commands_of_a_page_work_in_their_order(page: Path, tmp_path: Path) -> None:
    postgres = BundledPostgres(tmp_path / "var")
    postgres.hold()  # so that each command joins the database instead of starting it
    try:
        for command in _commands(page, tmp_path):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=tmp_path,
                env=_environment(tmp_path),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=100,
            )
            assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    finally:
        postgres.release()


def _commands(page: Path, folder: Path) -> Iterator[str]:
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["name"]:
            (folder / block["name"]).write_text(block["text"], encoding="utf-8")
            continue
        yield from (line.removeprefix("$ ") for line in block["text"].splitlines() if line.startswith("$ "))


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of this process's settings; the programs of its environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LTI_SERVER_")}
    return {**kept, "PATH": path, "LTI_SERVER_DATA_DIR": str(folder / "var")}
