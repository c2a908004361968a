"""`lti-server policy`: versions of the privacy notice, and who agreed to a new use."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from lti_server.app import House
from lti_server.cli.house import note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import NoContract, NotFound
from lti_server.ids import PersonId
from lti_server.privacy import districts, new_use, notices
from lti_server.privacy.announcing import announcement
from lti_server.privacy.contracts import in_force
from lti_server.privacy.districts import District
from lti_server.privacy.journal import JournalKind
from lti_server.privacy.model import Purpose
from lti_server.privacy.notices import Version

PURPOSE = click.Choice([one.value for one in Purpose])


@click.group()
def policy() -> None:
    """The privacy notice: changes are announced before they act; new uses want consent."""


@policy.command()
@click.option("--acts-on", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day from which it acts.")
@click.option("--material", is_flag=True, help="The change matters to people: it is announced 30 days before.")
@click.option("--purpose", "purposes", type=PURPOSE, multiple=True, help="Each purpose that it names; default: all.")
@click.option("--summary-en", required=True, help="What changes, in English: the text that binds.")
@click.option("--summary-fr", required=True, help="What changes, in French.")
@answers
def announce(
    acts_on: datetime, material: bool, purposes: tuple[str, ...], summary_en: str, summary_fr: str
) -> dict[str, Any]:
    """Announce a version: it stands at /privacy at once, is mailed to every district's offices, and acts on its day."""
    house = open_house()
    named = frozenset(Purpose(one) for one in purposes) or frozenset(Purpose)
    make = announcement(
        acts_on=acts_on.date(), material=material, purposes=named, summary_en=summary_en, summary_fr=summary_fr
    )
    told = districts.every(house.database, house.ring)
    done = house.rights.announce(told, make, by=operator())
    return {**_plain(done.version), "mails": done.mails, "districts_without_office": list(done.silent)}


@policy.command(name="list")
@answers
def list_() -> dict[str, Any]:
    """Show the versions, newest first, and which one acts today."""
    house = open_house()
    with house.database.anyone() as connection:
        found = notices.versions(connection)
    version, purposes = notices.acting(found, house.clock.now().date())
    return {
        "acting": version,
        "purposes": sorted(one.value for one in purposes),
        "versions": [_plain(one) for one in found],
    }


@policy.command()
@click.argument("person_id")
@click.option("--purpose", type=PURPOSE, required=True)
@click.option("--given-as", type=click.Choice(["guardian", "school", "self"]), required=True)
@answers
def consent(person_id: str, purpose: str, given_as: str) -> dict[str, Any]:
    """Keep that somebody agreed to a new use of what was collected before."""
    house = open_house()
    owner, wanted = _found(house, person_id)
    now = house.clock.now()
    with house.database.tenant(owner.id) as connection:
        contract_id = in_force(connection, owner.zone, now)
        if contract_id is None:
            raise NoContract("The district has no contract in force.")
        terms = house.policies.of(connection, contract_id)
        new_use.give(
            connection, owner.id, wanted, Purpose(purpose), given_as=given_as, policy_hash=terms.policy_hash, now=now
        )
        note(house, owner, "policy consent", on=connection, person=str(wanted), purpose=purpose, given_as=given_as)
    return {"ok": True, "person": str(wanted), "purpose": purpose}


@policy.command()
@click.argument("person_id")
@click.option("--purpose", type=PURPOSE, required=True)
@answers
def withdraw(person_id: str, purpose: str) -> dict[str, Any]:
    """Take a consent back; it acts at once."""
    house = open_house()
    owner, wanted = _found(house, person_id)
    with house.database.tenant(owner.id) as connection:
        now = house.clock.now()
        stood = new_use.take_back(connection, wanted, Purpose(purpose), now=now)
        note(house, owner, "policy withdraw", on=connection, person=str(wanted), purpose=purpose)
        house.journal.append(
            JournalKind.CONSENT_WITHDRAWAL, district_id=owner.id, at=now, person=str(wanted), purpose=purpose
        )
    return {"ok": True, "person": str(wanted), "purpose": purpose, "withdrawn": stood}


def _found(house: House, person_id: str) -> tuple[District, PersonId]:
    try:
        wanted = PersonId(UUID(person_id))
    except ValueError as error:
        raise NotFound("There is no such person.") from error
    for owner in districts.every(house.database, house.ring):
        with house.database.tenant(owner.id) as connection:
            if new_use.is_here(connection, wanted):
                return owner, wanted
    raise NotFound("There is no such person.")


def _plain(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "acts_on": str(version.acts_on),
        "material": version.material,
        "purposes": sorted(one.value for one in version.purposes),
        "summary_en": version.summary_en,
        "summary_fr": version.summary_fr,
    }
