"""`lti-server plugins` and `lti-server new-provider`: what is installed, and how a new one begins."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lti_server.cli.output import answers
from lti_server.providers.registry import look_at_plugins
from lti_server.providers.scaffold import new_provider as write_skeleton
from lti_server.settings import Settings


@click.command()
@answers
def plugins() -> dict[str, Any]:
    """List the provider plugins: which run, which do not, and why."""
    found = look_at_plugins(Settings.from_env().providers)
    return {"plugins": [asdict(row) for row in found.describe()]}


@click.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; by default a new directory NAME.")
@answers
def new_provider(name: str, out: Path | None) -> dict[str, Any]:
    """Write the skeleton of a provider plugin, whose contract tests pass as they are."""
    return asdict(write_skeleton(name, out or Path(name)))
