"""`lti-server grant`: what the district lets its providers do, and taking it back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from lti_server.accounts.ways_in import losing
from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.db import Door, enter_by
from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.ids import GrantId, SectionId
from lti_server.privacy import grant_view, population
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use


@click.group()
def grant() -> None:
    """Grants: a district's leave for each connection, suspended and revoked at any moment."""


@grant.command("list")
@click.option("--district", "slug", required=True)
@answers
def list_(slug: str) -> dict[str, Any]:
    """List a district's grants, the revoked ones too."""
    house = open_house()
    district = district_of(house, slug)
    with house.database.tenant(district.id) as connection:
        note(house, district, "grant list", on=connection)
        return {"grants": [one.plain() for one in grant_view.every(connection, house.grants.population)]}


@grant.command()
@click.argument("grant_id")
@answers
def show(grant_id: str) -> dict[str, Any]:
    """Show one grant: its state, what is in flight, and the receipts of its revocation."""
    house = open_house()
    district, wanted = _find(house, grant_id)
    note(house, district, "grant show", grant=str(wanted))
    return _shown(house, district, wanted)


@grant.command()
@click.argument("grant_id")
@click.option("--reason", default="", help="For the log; name nobody.")
@answers
def suspend(grant_id: str, reason: str) -> dict[str, Any]:
    """Freeze a connection: nothing is read, sent or opened, and nothing is lost."""
    house = open_house()
    district, wanted = _find(house, grant_id)
    house.grants.withdraw.suspend(district.id, wanted, by=operator(), reason=reason)
    return _shown(house, district, wanted)


@grant.command()
@click.argument("grant_id")
@click.option("--reason", default="", help="For the log; name nobody.")
@answers
def resume(grant_id: str, reason: str) -> dict[str, Any]:
    """Let a suspended connection go on."""
    house = open_house()
    district, wanted = _find(house, grant_id)
    house.grants.withdraw.resume(district.id, wanted, by=operator(), reason=reason)
    return _shown(house, district, wanted)


@grant.command()
@click.argument("grant_id")
@click.option("--reason", help="For the log and the receipt; name nobody.")
@click.option("--use", "uses", multiple=True, type=click.Choice([use.value for use in Use]),
              help="Withdraw this use alone; without it, the whole grant.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say who would lose their last way in, and change nothing.")
@click.option("--wait", "patience_s", default=120.0, show_default=True, type=click.FloatRange(0, 3600),
              help="Seconds to wait for what is in flight.")  # fmt: skip
@answers
def revoke(
    grant_id: str, reason: str | None, uses: tuple[str, ...], dry_run: bool, patience_s: float
) -> dict[str, Any]:
    """Revoke a connection for good: refuse everything new at once, wait for what is in flight, acknowledge."""
    house = open_house()
    district, wanted = _find(house, grant_id)
    if dry_run:
        note(house, district, "grant revoke --dry-run", grant=str(wanted))
        return {**_shown(house, district, wanted), "would_lose": _would_lose(house, district, wanted)}
    if not reason:
        raise click.UsageError('Give a reason: --reason "...". It goes into the log and names nobody.')
    house.grants.withdraw.begin(
        district.id, wanted, by=operator(), reason=reason, uses=frozenset(map(Use, uses)) or frozenset(Use)
    )
    return _waited_for(house, district, wanted, patience_s)


@grant.command()
@click.argument("grant_id")
@click.option("--from", "former", required=True, metavar="ID", help="The revoked grant.")
@click.option("--reason", required=True, help="For the log; name nobody.")
@answers
def adopt(grant_id: str, former: str, reason: str) -> dict[str, Any]:
    """Let a new connection take over who came by a revoked one, while its data is kept apart."""
    house = open_house()
    district, wanted = _find(house, grant_id)
    _owner, revoked = _find(house, former)
    adopted = house.grants.adopt(district.id, revoked, wanted, by=operator(), reason=reason)
    said = {"identities": adopted.identities, "left": adopted.left, "until": adopted.until.isoformat()}
    return {**_shown(house, district, wanted), "adopted": said}


@grant.command()
@click.argument("grant_id")
@click.option("--section", "sections", multiple=True, help="A section that stays, by its id.")
@click.option("--school", "schools", multiple=True, help="A school whose sections stay, by its name.")
@click.option("--grade", "grades", multiple=True, help="A grade whose sections stay.")
@click.option("--reason", help="For the log and the receipt; name nobody.")
@click.option("--dry-run", is_flag=True, help="Say what would end, and change nothing.")
@click.option("--wait", "patience_s", default=120.0, show_default=True, type=click.FloatRange(0, 3600),
              help="Seconds to wait for what is in flight.")  # fmt: skip
@answers
def narrow(
    grant_id: str,
    sections: tuple[str, ...],
    schools: tuple[str, ...],
    grades: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    patience_s: float,
) -> dict[str, Any]:
    """Keep some sections of a connection; for everybody outside it is revoked. It is never wide again."""
    house = open_house()
    district, wanted = _find(house, grant_id)
    with house.database.tenant(district.id) as connection:
        keep = population.named(connection, wanted, sections=_sections(sections), schools=schools, grades=grades)
        would_end = dict(population.outside(connection, wanted, keep))
    if dry_run:
        note(house, district, "grant narrow --dry-run", grant=str(wanted))
        return {**_shown(house, district, wanted), "would_end": would_end}
    if not reason:
        raise click.UsageError('Give a reason: --reason "...". It goes into the log and names nobody.')
    house.grants.withdraw.narrow(district.id, wanted, keep, by=operator(), reason=reason)
    return _waited_for(house, district, wanted, patience_s)


def _sections(given: tuple[str, ...]) -> list[SectionId]:
    try:
        return [SectionId(UUID(one)) for one in given]
    except ValueError as error:
        raise InvalidInput("One of the sections is no id. `lti-server section list` shows them.") from error


def _waited_for(house: House, district: District, wanted: GrantId, patience_s: float) -> dict[str, Any]:
    if not house.grants.withdraw.finish(district.id, wanted, patience_s=patience_s, on_wait=_say_waiting):
        raise Conflict(
            "Nothing new passes any more, but something is still in flight, so the revocation is not acknowledged yet. "
            "The worker finishes it; `lti-server grant show` says when.",
            public=_shown(house, district, wanted),
        )
    return _shown(house, district, wanted)


def _say_waiting(in_flight: int) -> None:
    click.echo(f"Nothing new passes. Waiting for {in_flight} in flight.", err=True)


def _find(house: House, given: str) -> tuple[District, GrantId]:
    absent = NotFound("There is no such grant. `lti-server grant list` shows those there are.")
    try:
        wanted = GrantId(UUID(given))
    except ValueError as error:
        raise absent from error
    with house.database.anyone() as connection:
        if enter_by(connection, Door.GRANT, house.doors.of(Door.GRANT, str(wanted))) is None:
            raise absent
        return house.entered(connection), wanted


def _shown(house: House, district: District, grant_id: GrantId) -> dict[str, Any]:
    with house.database.tenant(district.id) as connection:
        found = grant_view.view(connection, grant_id, house.grants.population)
    return {**found.plain(), "signals": house.grants.signal_addresses(found)}


def _would_lose(house: House, district: District, grant_id: GrantId) -> dict[str, Any]:
    with house.database.tenant(district.id) as connection:
        return losing(connection, grant_id).plain()
