"""`lti-server lesson`: the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lti_server.cli.house import open_house
from lti_server.cli.output import answers
from lti_server.lessons import catalogue


@click.group()
def lesson() -> None:
    """Lessons: those that come with this program, and those added by file."""


@lesson.command("list")
@answers
def list_() -> dict[str, Any]:
    """List the lessons."""
    rows = [
        {
            "id": one.id,
            "title": str(one.title),
            "activities": [activity.id for activity in one.activities],
            "url": one.url,
            "no_pii": one.no_pii,
        }
        for one in open_house().catalogue.lessons()
    ]
    return {"lessons": rows}


@lesson.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@answers
def add(file: Path) -> dict[str, Any]:
    """Add the lessons of a file, or none of them."""
    house = open_house()
    with house.database.anyone() as connection:
        added = catalogue.add(
            connection, file.read_bytes(), house.clock.now(),
            taken=house.catalogue.packaged_ids, https_only_except=house.settings.insecure_hosts,
        )  # fmt: skip
    return {"lessons": [{"id": one.id, "title": str(one.title)} for one in added]}
