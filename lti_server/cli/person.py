"""`lti-server person`: what is kept of one person, a copy of it, and its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from lti_server.accounts.corrections import CORRECTABLE
from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, PersonId
from lti_server.privacy import districts
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Asked

OUT = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.group()
def person() -> None:
    """People: what is kept of them, for them and for the district that asks for them."""


@person.command()
@click.argument("person_id")
@click.option("--reason", default="", help="Why you look; the person may read it.")
@answers
def show(person_id: str, reason: str) -> dict[str, Any]:
    """Show who somebody is here, in which classes, and of what how much is kept."""
    house = open_house()
    district_id, wanted = _find(house, person_id)
    return house.rights.rights.show(district_id, wanted, Asked(by=operator(), act="person show", reason=reason))


@person.command()
@click.argument("person_id")
@click.option("--reason", default="", help="Why it is exported; the person may read it.")
@click.option("--out", type=OUT, help="Write it to this file instead, which others cannot read.")
@answers
def export(person_id: str, reason: str, out: Path | None) -> dict[str, Any]:
    """Export everything that is kept of somebody, decrypted, with the log's entries about them."""
    house = open_house()
    district_id, wanted = _find(house, person_id)
    found = house.rights.rights.export(district_id, wanted, Asked(by=operator(), act="person export", reason=reason))
    if out is None:
        return found
    out.touch(mode=0o600)
    out.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return {"person": found["person"], "file": str(out)}


@person.command()
@click.argument("person_id")
@click.option("--block", "blocks_too", is_flag=True, help="Block the pupil first, so that nothing is collected anew.")
@click.option("--keep-grades", is_flag=True, help="Leave what stands in the school's gradebooks.")
@click.option("--wait", "patience_s", default=30.0, show_default=True, type=click.FloatRange(0, 600),
              help="Seconds to wait for LMSs that clear their gradebooks.")  # fmt: skip
@click.option("--receipt", type=OUT, help="Write the signed receipt to this file.")
@answers
def erase(
    person_id: str, blocks_too: bool, keep_grades: bool, patience_s: float, receipt: Path | None
) -> dict[str, Any]:
    """Erase somebody for good: everything goes, and the key under which it was encrypted is destroyed."""
    house = open_house()
    district_id, wanted = _find(house, person_id)
    with house.database.tenant(district_id) as connection:
        note(house, districts.current(connection, house.ring), "person erase", on=connection, person=str(wanted))
    if blocks_too:
        house.rights.blocks.of_person(district_id, wanted, by=operator())
    done = house.rights.erase(district_id, wanted, by=operator(), keeps_grades=keep_grades, patience_s=patience_s)
    if receipt is not None:
        receipt.write_bytes(house.rights.erase.receipt_file(district_id, wanted))
    return {**done.plain(), "receipt": None if receipt is None else str(receipt)}


@person.command()
@click.argument("person_id")
@click.option("--field", required=True, type=click.Choice(sorted(CORRECTABLE)))
@click.option("--value", help="What is right.")
@click.option("--drop", is_flag=True, help="Let the school's systems say again what it is.")
@click.option("--reason", default="", help="Why; the person may read it.")
@answers
def correct(person_id: str, field: str, value: str | None, drop: bool, reason: str) -> dict[str, Any]:
    """Put a field right, so that no launch and no class list changes it any more."""
    house = open_house()
    if (value is None) != drop:
        raise click.UsageError("Give either --value or --drop.")
    district_id, wanted = _find(house, person_id)
    asked = Asked(by=operator(), act="person correct", reason=reason)
    if value is None:
        house.rights.correct.drop(district_id, wanted, field, asked)
    else:
        house.rights.correct.put(district_id, wanted, field, value, asked)
    return {"person": str(wanted), "field": field, "corrected": value is not None}


@person.command()
@click.argument("person_id")
@click.option("--to", "recipients", required=True, type=click.Choice([one.value for one in Recipients]))
@click.option("--lift", is_flag=True, help="Let them have it again.")
@click.option("--reason", default="", help="Why; the person may read it.")
@answers
def restrict(person_id: str, recipients: str, lift: bool, reason: str) -> dict[str, Any]:
    """Let nothing of somebody go to a class of recipients."""
    house = open_house()
    district_id, wanted = _find(house, person_id)
    asked = Asked(by=operator(), act="person restrict", reason=reason)
    stands = house.rights.correct.restrict(district_id, wanted, Recipients(recipients), asked, lift=lift)
    return {"person": str(wanted), "restricted_to": stands}


@person.command()
@click.option("--district", "slug", required=True)
@click.option("--source-id", help="The id by which the school's system calls the pupil, of today or to come.")
@click.option("--person", "person_id", help="Or the pupil's id here.")
@click.option("--provider", default="", help="Of this provider alone; without it, of every.")
@answers
def block(slug: str, source_id: str | None, person_id: str | None, provider: str) -> dict[str, Any]:
    """Block a pupil: nothing is collected of them any more by any door; lessons open without an account."""
    house = open_house()
    owner = district_of(house, slug)
    if (source_id is None) == (person_id is None):
        raise click.UsageError("Give either --source-id or --person.")
    note(house, owner, "person block")
    if source_id is not None:
        return house.rights.blocks.of_id(owner.id, source_id, provider=provider, by=operator()).plain()
    wanted = PersonId(_uuid(str(person_id)))
    return house.rights.blocks.of_person(owner.id, wanted, provider=provider, by=operator()).plain()


@person.command()
@click.argument("block_id")
@click.option("--district", "slug", required=True)
@click.option("--reason", default="", help="Who asked, and how you made sure of that; name nobody.")
@answers
def unblock(block_id: str, slug: str, reason: str) -> dict[str, Any]:
    """Lift a block, where the guardian has asked for that."""
    house = open_house()
    owner = district_of(house, slug)
    house.rights.blocks.lift(owner.id, _uuid(block_id), by=operator(), reason=reason)
    return {"id": block_id, "lifted": True}


@person.command()
@click.option("--district", "slug", required=True)
@answers
def blocks(slug: str) -> dict[str, Any]:
    """List a district's blocks, by which nobody can be named."""
    house = open_house()
    owner = district_of(house, slug)
    with house.database.tenant(owner.id) as connection:
        note(house, owner, "person blocks", on=connection)
        return {"blocks": [one.plain() for one in house.rights.blocks.every(connection)]}


def _uuid(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise NotFound("There is nothing with this id.") from error


def _find(house: House, given: str) -> tuple[DistrictId, PersonId]:
    """Whose person an id is; the answer is the same for a wrong id and for nobody's."""
    try:
        wanted = PersonId(UUID(given))
    except ValueError as error:
        raise NotFound("There is no person with this id.") from error
    everywhere = [one.id for one in districts.every(house.database, house.ring)]
    return house.rights.rights.district_of(wanted, everywhere), wanted
