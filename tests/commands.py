"""The commands of `lti-server`: which there are, and one as somebody types it, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click
import pytest

from lti_server import cli
from lti_server.cli import main


def every_command(command: click.Command, *path: str) -> Iterator[tuple[list[str], click.Command]]:
    """Each command below this one that does something, with the words that lead to it."""
    if not isinstance(command, click.Group):
        yield list(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from every_command(inner, *path, name)


def typed(
    words: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, fails: int = 0
) -> dict[str, Any]:
    """What a command answers with `--json`; `fails` is the exit code that is wanted of it."""
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    if fails:
        with pytest.raises(SystemExit) as stop:
            main([*words, "--json"])
        assert stop.value.code == fails
    else:
        main([*words, "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(found, dict)
    return found
