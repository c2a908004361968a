"""`lti-server session`: who is signed in now, by ids alone, and ending it at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click
import sqlalchemy as sa

from lti_server.accounts.live_sessions import Which
from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import InvalidInput, NotFound
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse

of_district = click.option("--district", "slug", required=True)
of_provider = click.option("--provider", "name", help="Those that came by this provider alone.")
of_person = click.option("--person", "person_id", help="Those of one person alone, by id.")


@click.group()
def session() -> None:
    """Sessions: of pupils, teachers and staff who are signed in, and of lessons that are open."""


@session.command("list")
@of_district
@of_provider
@of_person
@answers
def list_(slug: str, name: str | None, person_id: str | None) -> dict[str, Any]:
    """List the live sessions, newest first: since when, by which provider, as what."""
    house = open_house()
    owner = district_of(house, slug)
    which = _which(house, owner, name, person_id)
    note(house, owner, "session list", provider=name or "", person=person_id or "")
    found = SignInHouse(house).live_sessions.every(owner.id, which)
    return {
        "sessions": [
            {
                "id": str(one.id),
                "person_id": None if one.person_id is None else str(one.person_id),
                "provider": one.provider,
                "role": one.role,
                "lesson_id": one.lesson_id,
                "created_at": one.created_at.isoformat(),
                "seen_at": None if one.seen_at is None else one.seen_at.isoformat(),
                "expires_at": one.expires_at.isoformat(),
            }
            for one in found
        ]
    }


@session.command()
@of_district
@of_provider
@of_person
@answers
def end(slug: str, name: str | None, person_id: str | None) -> dict[str, Any]:
    """End a person's, a provider's or the whole district's sessions at once, those of its staff too."""
    house = open_house()
    owner = district_of(house, slug)
    which = _which(house, owner, name, person_id)
    ended = SignInHouse(house).live_sessions.end(owner.id, which, by=operator())
    return {"ended": ended.sessions, "lesson_tokens": ended.lesson_tokens}


def _which(house: House, owner: District, name: str | None, person_id: str | None) -> Which:
    if name is not None and name != "lti":
        house.registry.manifest(name)  # a slip of the pen ends nothing, and says so
    try:
        wanted = None if person_id is None else UUID(person_id)
    except ValueError as error:
        raise InvalidInput("--person takes the id of a person, as `session list` shows it.") from error
    with house.database.tenant(owner.id) as connection:
        if wanted is not None and connection.execute(_PERSON, {"person": wanted}).scalar_one_or_none() is None:
            raise NotFound("There is no person with this id in the district.")
    return Which(provider=name, person_id=wanted)


_PERSON = sa.text("SELECT 1 FROM person WHERE id = :person")
