"""`lti-server section`: classes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click
from sqlalchemy.engine import Connection

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house
from lti_server.cli.output import answers
from lti_server.errors import ContractForbids, NoContract, NotFound
from lti_server.ids import PersonId
from lti_server.privacy import districts, new_use
from lti_server.privacy.districts import District
from lti_server.privacy.model import Purpose
from lti_server.roster import store
from lti_server.roster.naming import display_name

Names = dict[UUID, dict[str, str]]


@click.group()
def section() -> None:
    """Sections: classes with their teachers and pupils."""


@section.command("list")
@click.option("--district", "slug", required=True)
@answers
def list_(slug: str) -> dict[str, Any]:
    """List a district's sections."""
    house = open_house()
    owner = district_of(house, slug)
    with house.database.tenant(owner.id) as connection:
        note(house, owner, "section list", on=connection)
        return {"sections": store.sections(connection)}


@section.command()
@click.argument("section_id")
@answers
def show(section_id: str) -> dict[str, Any]:
    """Show a section's members by the names that its teachers see; logged in the district's log."""
    house = open_house()
    try:
        wanted = UUID(section_id)
    except ValueError as error:
        raise NotFound("There is no such section. `lti-server section list` shows those there are.") from error
    for owner in districts.every(house.database, house.ring):
        found = _shown(house, owner, wanted)
        if found is not None:
            note(house, owner, "section show", population=f"section:{wanted}", section=str(wanted))
            return found
    raise NotFound("There is no such section. `lti-server section list` shows those there are.")


def _names(house: House, connection: Connection, owner: District, people: list[PersonId]) -> Names:
    """By the contract in force, for instruction; without one nobody's name is read, and all have neutral ones."""
    try:
        reading = new_use.reading_for(connection, owner.zone, Purpose.INSTRUCTION, house.clock.now())
    except (NoContract, ContractForbids):
        return {}
    return fields_of(connection, owner.keys, people, reading)


def _shown(house: House, owner: District, wanted: UUID) -> dict[str, Any] | None:
    with house.database.tenant(owner.id) as connection:
        row = store.section_row(connection, wanted)
        if row is None:
            return None
        came = store.members(connection, wanted)
        live_people = [one.person_id for one in came if one.ended_at is None]
        names = _names(house, connection, owner, live_people)
    ordinals = {person_id: i for i, person_id in enumerate(dict.fromkeys(one.person_id for one in came), start=1)}
    live = [one for one in came if one.ended_at is None]
    members = [
        {
            "name": display_name(names.get(one.person_id, {}), one.role, ordinals[one.person_id]),
            "role": one.role,
        }
        for one in live
    ]
    return {
        "id": str(row.id),
        "name": row.name,
        "school": row.school,
        "source_id": row.source_id,
        "teachers": sum(one.role == "teacher" for one in live),
        "pupils": sum(one.role == "pupil" for one in live),
        "members": members,
    }
