"""`lti-server incident`: what happened, whose data, which clocks run, and who was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from lti_server.cli.house import open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import InvalidInput, NotFound
from lti_server.incidents import Affected, Asked, Incidents, first_due

MOMENT = "A moment with its offset, such as 2026-11-25T08:30+01:00."


class Moment(click.ParamType[datetime]):
    """RFC 3339 with an offset: a deadline must not hang on a time zone that somebody assumed."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(MOMENT, param, ctx)
        if found.tzinfo is None:
            self.fail(MOMENT, param, ctx)
        return found.astimezone(UTC)


@click.group()
def incident() -> None:
    """Incidents: their clocks, whom they concern, and notices to the districts."""


@incident.command("open")
@click.option("--description", required=True, help="What happened, for the districts to read; name nobody.")
@click.option("--discovered", "discovered_at", required=True, type=Moment(), help=f"Statutes count from it. {MOMENT}")
@click.option("--district", "slugs", multiple=True, help="Only these; else every district where somebody is affected.")
@click.option("--provider", default="", help="Only what came by this provider.")
@click.option("--element", "elements", multiple=True, help="Only these elements of the schedule of data.")
@click.option("--since", type=Moment(), help="When it began.")
@click.option("--until", type=Moment(), help="When it ended.")
@answers
def open_(slugs: tuple[str, ...], **asked: Any) -> dict[str, Any]:
    """Open an incident: count whose data it concerns, and start the clocks."""
    incidents = _incidents()
    return _shown(incidents, incidents.open(Asked(**asked), slugs))


@incident.command()
@click.argument("incident_id")
@click.option("--at", type=Moment(), help="When it was confirmed; now, unless given.")
@answers
def confirm(incident_id: str, at: datetime | None) -> dict[str, Any]:
    """Say that it is confirmed: contracts count from there."""
    incidents = _incidents()
    incidents.confirm(_id(incident_id), at or datetime.now(UTC))
    return _shown(incidents, _id(incident_id))


@incident.command()
@click.argument("incident_id")
@click.option("--until", required=True, type=Moment(), help="No notice leaves before; the last one given stands.")
@click.option("--reason", required=True, help="Who asked, and under which number.")
@answers
def delay(incident_id: str, until: datetime, reason: str) -> dict[str, Any]:
    """Hold the notices back because a law enforcement agency asked for it."""
    incidents = _incidents()
    incidents.delay(_id(incident_id), until, reason)
    return _shown(incidents, _id(incident_id))


@incident.command()
@click.argument("incident_id")
@click.option("--delay-reason", default="", help="Why the notice comes late, if it does.")
@answers
def notify(incident_id: str, delay_reason: str) -> dict[str, Any]:
    """Send the notice to whomever each district's contract names; again, where there is news."""
    incidents = _incidents()
    incidents.notify(_id(incident_id), delay_reason)
    return _shown(incidents, _id(incident_id))


@incident.command()
@click.argument("incident_id")
@answers
def show(incident_id: str) -> dict[str, Any]:
    """Show its clocks, the strictest first, whom it concerns, and what became of the notices."""
    return _shown(_incidents(), _id(incident_id))


@incident.command("list")
@answers
def list_() -> dict[str, Any]:
    """List the incidents, oldest first."""
    by_id: dict[UUID, list[Affected]] = {}
    for one in _incidents().every():
        by_id.setdefault(one.id, []).append(one)
    rows = [_summary(found) for found in by_id.values()]
    return {"incidents": sorted(rows, key=lambda row: str(row["discovered_at"]))}


@incident.command()
@click.argument("incident_id")
@answers
def close(incident_id: str) -> dict[str, Any]:
    """Say that nothing more is to be done."""
    incidents = _incidents()
    incidents.close(_id(incident_id))
    return _shown(incidents, _id(incident_id))


def _incidents() -> Incidents:
    return Incidents(open_house(), operator())


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("There is no such incident. `lti-server incident list` shows those there are.") from error


def _shown(incidents: Incidents, incident_id: UUID) -> dict[str, Any]:
    found = incidents.districts_of(incident_id)
    return {**_summary(found), "districts": [_district(one) for one in found]}


def _summary(found: Sequence[Affected]) -> dict[str, Any]:
    if not found:
        raise InvalidInput("An incident concerns a district at least.")
    first, due = found[0], first_due(found)
    state = "closed" if all(one.closed_at for one in found) else "confirmed" if first.confirmed_at else "open"
    untold = [one.district.slug for one in found if not any(notice["messages"] for notice in one.notices)]
    return {
        "id": str(first.id), "state": state, "discovered_at": first.said["discovered_at"],
        "confirmed_at": first.confirmed_at and first.confirmed_at.isoformat(),
        "delayed_until": first.delayed_until and first.delayed_until.isoformat(),
        "due_at": due and due.due_at and due.due_at.isoformat(), "clause": due and due.clause,
        "people": sum(one.said["people"] for one in found), "not_told": untold,
    }  # fmt: skip


def _district(one: Affected) -> dict[str, Any]:
    return {
        "district": one.district.slug, "people": one.said["people"], "provider": one.said["provider"],
        "elements": one.said["elements"], "since": one.said["since"], "until": one.said["until"],
        "description": one.said["description"], "uses": one.said["uses"],
        "clocks": [
            {"clause": clock.clause, "hours": clock.hours, "runs_from": clock.runs_from,
             "due_at": clock.due_at and clock.due_at.isoformat()}
            for clock in one.clocks
        ],
        "notices": [{**notice, "at": notice["at"].isoformat()} for notice in one.notices],
    }  # fmt: skip
