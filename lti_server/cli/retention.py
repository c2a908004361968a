"""`lti-server retention`: what is past its time by contract goes."""

from __future__ import annotations

from typing import Any

import click

from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.privacy import districts
from lti_server.privacy.retention import MOST_ROWS


@click.group()
def retention() -> None:
    """Retention: each element is kept for the days of the contract, and no day longer."""


@retention.command()
@click.option("--district", "slug", help="One district alone, by its slug.")
@click.option("--dry-run", is_flag=True, help="Count what would go, and change nothing.")
@click.option(
    "--limit",
    "most",
    type=click.IntRange(1),
    default=MOST_ROWS,
    show_default=True,
    help="At most so many rows of each.",
)
@answers
def run(slug: str | None, dry_run: bool, most: int) -> dict[str, Any]:
    """Purge what is past its time; the worker does this by itself every few minutes."""
    house = open_house()
    wanted = [district_of(house, slug)] if slug else districts.every(house.database, house.ring)
    found = []
    for owner in wanted:
        with house.database.tenant(owner.id) as connection:
            purged = house.retain(connection, owner, actor=operator(), most=most)
            if dry_run:
                connection.rollback()
        for grant_id in () if dry_run else purged.narrowed:
            house.grants.withdraw.finish(owner.id, grant_id)
        if dry_run:
            note(house, owner, "retention run --dry-run")
        found.append({"district": owner.slug, "purged": dict(purged.counts), "capped": purged.capped})
    return {"ok": True, "dry_run": dry_run, "districts": found}
