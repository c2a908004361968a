"""`lti-server district`: tenants."""

from __future__ import annotations

from typing import Any

import click

from lti_server.cli.house import note, open_house
from lti_server.cli.output import answers
from lti_server.db import Door
from lti_server.privacy import districts


@click.group()
def district() -> None:
    """Districts: each has keys, a contract and people of its own."""


@district.command()
@click.option("--name", required=True, help="The name that people read.")
@click.option("--slug", required=True, help="A short name for commands, such as north-valley.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name; contracts end at midnight there.")
@click.option("--country", default="US", show_default=True, help="ISO 3166-1, two letters.")
@click.option("--locale", default="en", show_default=True, help="en or fr.")
@answers
def add(name: str, slug: str, timezone: str, country: str, locale: str) -> dict[str, Any]:
    """Add a district."""
    house = open_house()
    with house.database.anyone() as connection:
        made = districts.create(
            connection, house.ring, slug=slug, name=name, timezone=timezone, country=country, locale=locale,
            slug_key=house.doors.of(Door.DISTRICT, slug), now=house.clock.now(),
        )  # fmt: skip
    note(house, made, "district add")
    return {"id": str(made.id), "slug": made.slug}


@district.command("list")
@answers
def list_() -> dict[str, Any]:
    """List the districts."""
    house = open_house()
    found = districts.every(house.database, house.ring)
    for one in found:
        note(house, one, "district list")
    rows = [
        {"id": str(one.id), "slug": one.slug, "name": one.name, "timezone": one.timezone, "country": one.country}
        for one in found
    ]
    return {"districts": rows}
