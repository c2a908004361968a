"""`lti-server roster`: sections brought up to what their providers tell."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from lti_server.cli.house import district_of, note, open_house
from lti_server.cli.output import answers
from lti_server.db import Door, enter_by
from lti_server.errors import InvalidInput, NotFound, ProviderFailed
from lti_server.roster import store
from lti_server.roster.model import RunState


@click.group()
def roster() -> None:
    """Rosters: who teaches and learns in which section."""


@roster.command()
@click.option("--district", "slug", required=True)
@click.option("--provider", required=True, help="lti: the members of every course that has launched.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@answers
def sync(slug: str, provider: str, dry_run: bool) -> dict[str, Any]:
    """Read a provider's roster, plan, and apply or hold it."""
    house = open_house()
    if provider != "lti":
        raise InvalidInput(f"The provider {provider} has no roster here. Use --provider lti.")
    district = district_of(house, slug)
    outcome = house.sync_roster()(district, dry_run=dry_run)
    note(house, district, "roster sync", state=outcome.state.value)
    if outcome.state is RunState.FAILED:
        raise ProviderFailed(outcome.detail or "The run failed; nothing was changed.", public=outcome.plain())
    return outcome.plain()


@roster.command()
@click.option("--district", "slug", required=True)
@answers
def runs(slug: str) -> dict[str, Any]:
    """List a district's runs, newest first."""
    house = open_house()
    district = district_of(house, slug)
    with house.database.tenant(district.id) as connection:
        note(house, district, "roster runs", on=connection)
        return {"runs": store.runs(connection)}


@roster.command()
@click.argument("run_id")
@answers
def show(run_id: str) -> dict[str, Any]:
    """Show one run."""
    house = open_house()
    try:
        wanted = UUID(run_id)
    except ValueError as error:
        raise NotFound("There is no such run. `lti-server roster runs` lists them.") from error
    with house.database.anyone() as connection:
        if enter_by(connection, Door.RUN, house.doors.of(Door.RUN, str(wanted))) is None:
            raise NotFound("There is no such run. `lti-server roster runs` lists them.")
        note(house, house.entered(connection), "roster show", on=connection, run=str(wanted))
        found = store.run(connection, wanted)
    if found is None:
        raise NotFound("There is no such run. `lti-server roster runs` lists them.")
    return found
