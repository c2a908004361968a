"""How a command answers: one JSON document with --json, else lines for a person."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def answers(command: F) -> F:
    """The command returns a mapping, which is printed; `--json` and `--debug` are added to it."""

    @click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
    @click.option("--debug", is_flag=True, hidden=True)
    @functools.wraps(command)
    def run(*args: Any, as_json: bool, debug: bool, **kwargs: Any) -> None:
        found = command(*args, **kwargs)
        if found is None:
            return
        click.echo(json.dumps(found, default=str)) if as_json else show(found)

    return run  # type: ignore[return-value]  # the wrapper takes what the command takes


def show(found: Mapping[str, Any]) -> None:
    """Lines for a person: lists of rows as tables, the rest as `name: value`."""
    for name, value in found.items():
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            _table(value)
        elif isinstance(value, list):
            for item in value:
                click.echo(f"{name}: {item}")
            if not value:
                click.echo(f"{name}: none")
        else:
            click.echo(f"{name}: {json.dumps(value, default=str) if isinstance(value, Mapping) else value}")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0])
    cells = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
