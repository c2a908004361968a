"""`lti-server disposition`: a district's directive that what is kept of it goes, and the certificate."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import Conflict, NotFound
from lti_server.ids import GrantId, PersonId
from lti_server.privacy.disposition import MOST_PEOPLE
from lti_server.privacy.districts import District
from lti_server.privacy.rights import Asked

FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def disposition() -> None:
    """Disposition: a directive (Exhibit D), its date by contract, and its certificate."""


@disposition.command()
@click.option("--district", "slug", required=True)
@click.option("--part", "grant_id", metavar="GRANT", help="What one revoked grant has left; without it, everything.")
@click.option("--destroy", is_flag=True, help="Destroy it. This is what happens unless --return is given.")
@click.option("--return", "folder", type=FOLDER, help="Give it back first: a file for each person, in this new folder.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="The day; by default the contract's last one.")
@click.option("--dry-run", is_flag=True, help="Count what would go today, and change nothing.")
@answers
def request(
    slug: str, grant_id: str | None, destroy: bool, folder: Path | None, due: Any, dry_run: bool
) -> dict[str, Any]:
    """Ask that what is kept of a district, or of one of its revoked connections, goes by a day."""
    if destroy and folder is not None:
        raise click.UsageError("Give --destroy or --return, not both.")
    house = open_house()
    district, part = district_of(house, slug), _grant(grant_id)
    if dry_run:
        note(house, district, "disposition request --dry-run")
        return {"dry_run": True, "would": house.rights.dispose.would(district.id, part)}
    day: date | None = None if due is None else due.date()
    if folder is not None:
        _new(folder)
    made = house.rights.dispose.request(district.id, part, by=operator(), due=day, returned=folder is not None)
    files = 0 if folder is None else _give_back(house, district, part, folder)
    return {**made.plain(), "files": files}


@disposition.command("list")
@click.option("--district", "slug", required=True)
@answers
def list_(slug: str) -> dict[str, Any]:
    """List a district's directives and what became of them."""
    house = open_house()
    district = district_of(house, slug)
    with house.database.tenant(district.id) as connection:
        note(house, district, "disposition list", on=connection)
        return {"dispositions": [one.plain() for one in house.rights.dispose.every(connection)]}


@disposition.command()
@click.option("--district", "slug", required=True)
@click.option("--now", "disposition_id", metavar="ID", help="Run this one, also before its day.")
@answers
def run(slug: str, disposition_id: str | None) -> dict[str, Any]:
    """Run what is due; the worker does this by itself every few minutes."""
    house = open_house()
    district = district_of(house, slug)
    dispose = house.rights.dispose
    note(house, district, "disposition run")
    if disposition_id is not None:
        return {"ran": [dispose.run(district.id, _id(disposition_id)).plain()]}
    return {"ran": [one.plain() for one in dispose.run_due(district.id)]}


@disposition.command()
@click.argument("disposition_id")
@click.option("--district", "slug", required=True)
@click.option("--out", type=FILE, required=True, help="Where the signed file goes.")
@answers
def certificate(disposition_id: str, slug: str, out: Path) -> dict[str, Any]:
    """Write the certificate of a disposition; `audit verify --receipt` checks it anywhere."""
    house = open_house()
    district = district_of(house, slug)
    out.write_bytes(house.rights.dispose.certificate(district.id, _id(disposition_id)))
    note(house, district, "disposition certificate", disposition=disposition_id)
    return {"disposition": disposition_id, "file": str(out)}


def _new(folder: Path) -> None:
    if folder.exists():
        raise Conflict("The folder is there already. Name a new one, so that nothing of another district is in it.")
    folder.mkdir(mode=0o700, parents=True)


def _give_back(house: House, district: District, part: GrantId | None, folder: Path) -> int:
    """Everything that is kept of each person, decrypted, for the district alone (law 4's exception)."""
    with house.database.tenant(district.id) as connection:
        people = house.rights.kept.people(connection, part, 50 * MOST_PEOPLE)
    for one in people:
        asked = Asked(by=operator(), act="disposition return", reason="The district asked for its data back.")
        found = house.rights.rights.export(district.id, PersonId(one), asked)
        file = folder / f"{one}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(found, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")
    return len(people)


def _grant(given: str | None) -> GrantId | None:
    return None if given is None else GrantId(_id(given))


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise NotFound("This is no id of ours.") from error
