"""The skeleton that `new-provider` writes: its own tests pass as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from lti_server.errors import Conflict, InvalidInput
from lti_server.providers.registry import PluginState, load_registry
from lti_server.providers.scaffold import new_provider

ROOT = Path(__file__).parents[2]


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    new_provider("slate-board", tmp_path / "slate")
    return tmp_path / "slate"


def test_the_contract_tests_of_a_new_plugin_pass_as_generated(skeleton: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=skeleton,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "20 passed" in run.stdout


def test_the_contract_test_is_six_lines(skeleton: Path) -> None:
    text = (skeleton / "tests" / "test_contract.py").read_text(encoding="utf-8")
    after_imports = text.split('"recordings"\n')[1]
    assert len([line for line in after_imports.splitlines() if line.strip()]) <= 6


def test_a_new_plugin_is_enabled_as_it_is(skeleton: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(skeleton))
    point = EntryPoint("slate-board", "lti_server_slate_board:SlateBoard", "lti_server.providers")
    (row,) = load_registry(None, discover=lambda: [point]).describe()
    assert (row.state, row.reason) == (PluginState.ENABLED, "")


def test_nothing_is_left_to_fill_in(skeleton: Path) -> None:
    for path in skeleton.rglob("*"):
        if path.is_file():
            assert "$" not in path.read_text(encoding="utf-8"), path


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="already"):
        new_provider("slate", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["", "x", "Slate", "1slate", "../slate", "slate board", "s" * 41, "slate.py"])
def test_a_name_that_no_plugin_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        new_provider(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()
