"""`/district/incidents`: what happened to data of the reader's district, by when it must be told, and what was told.

The numbers are those of the log's entries; nobody is named. While a law enforcement agency has asked for the notice to
wait, a page would be that notice (NDPA Art. V 4): it says that one waits, and until when, and nothing of what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template
from flask_babel import format_datetime
from flask_babel import gettext as _

from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission
from lti_server.errors import NotFound
from lti_server.house import House
from lti_server.incidents import Affected, of_district
from lti_server.privacy.element_names import element_names
from lti_server.privacy.incident_clock import CONFIRMATION, WITHOUT_DELAY, Deadline, strictest
from lti_server.web.guards import signed_in

# An incident is entries of the log: whoever may read that, may read this.
PERMISSION = Permission.SEE_LOG


def blueprint(house: House, staff: Callable[[Permission], StaffSession]) -> Blueprint:
    """The list and one incident. Whatever is done about one is the command line's."""
    pages = Blueprint("incidents", __name__, url_prefix="/district/incidents")

    def found() -> list[Affected]:
        reader = staff(PERMISSION)
        if reader.district_id is None:
            raise NotFound("Sign in as an administrator of the district.")
        with house.database.tenant(reader.district_id) as connection:
            return of_district(connection, house.entered(connection), house.clock.now())

    @pages.get("")
    @signed_in(PERMISSION)
    def index() -> str:
        now = house.clock.now()
        return render_template("incidents.html", incidents=[_shown(one, now) for one in reversed(found())])

    @pages.get("/<uuid:incident_id>")
    @signed_in(PERMISSION)
    def show(incident_id: UUID) -> str:
        one = next((one for one in found() if one.id == incident_id), None)
        if one is None:
            raise NotFound("Check the address.")
        now = house.clock.now()
        return render_template("incident.html", one=_shown(one, now), told=_told(one), todo=list(_todo(one, now)))

    return pages


def waits(one: Affected, now: datetime) -> bool:
    """Whether a law enforcement agency holds the notice back, and none has gone before it asked."""
    return one.delayed_until is not None and one.delayed_until > now and not one.notices


def _shown(one: Affected, now: datetime) -> dict[str, object]:
    held = waits(one, now)
    first = strictest(one.clocks)
    return {
        "id": one.id,
        "held_until": _at(one, one.delayed_until) if held else "",
        "state": _state(one),
        "discovered_at": _at(one, datetime.fromisoformat(one.said["discovered_at"])),
        "confirmed_at": _at(one, one.confirmed_at),
        "closed_at": _at(one, one.closed_at),
        "due": None if first is None else _clock(one, first),
        "late": first is not None and first.clause != WITHOUT_DELAY and _first_told(one, now) > (first.due_at or now),
        "zone": one.district.timezone,
    } | ({} if held else _substance(one))


def _substance(one: Affected) -> dict[str, object]:
    """What happened and to whose data, in numbers."""
    names, said = element_names(), one.said
    return {
        "description": said["description"],
        "people": said["people"],
        "elements": [names.get(element, element) for element in said["elements"]],
        "provider": said["provider"],
        "since": _at(one, said["since"] and datetime.fromisoformat(said["since"])),
        "until": _at(one, said["until"] and datetime.fromisoformat(said["until"])),
        "clocks": [_clock(one, clock) for clock in one.clocks],
    }


def _state(one: Affected) -> str:
    if one.closed_at is not None:
        text = _("closed")
    else:
        text = _("suspected, not yet confirmed") if one.confirmed_at is None else _("confirmed")
    return str(text)


def _clock(one: Affected, clock: Deadline) -> dict[str, object]:
    """A number and its clause; where none is agreed there is no moment that could be said, or missed."""
    if clock.clause == WITHOUT_DELAY:
        return {"at": "", "clause": _("Without undue delay: your contract sets no number."), "hours": None}
    return {
        "at": _at(one, clock.due_at),
        "clause": clock.clause,
        "hours": clock.hours,
        "from_confirmation": clock.runs_from == CONFIRMATION,
    }


def _first_told(one: Affected, now: datetime) -> datetime:
    """When the first notice that had an address was queued; this moment while there is none."""
    at: datetime = next((notice["at"] for notice in one.notices if notice["messages"]), now)
    return at


def _told(one: Affected) -> list[dict[str, object]]:
    """The delivery log: each notice, its channel, and what became of each message."""
    return [
        {"at": _at(one, notice["at"]), "messages": [_delivery(one, message) for message in notice["messages"]]}
        for notice in one.notices
    ]


def _delivery(one: Affected, message: Mapping[str, Any]) -> str:
    settled = message["settled_at"] and _at(one, datetime.fromisoformat(message["settled_at"]))
    texts = {
        "queued": _("e-mail, waits to be sent"), "sent": _("e-mail, taken by the mail server: %(at)s", at=settled),
        "failed": _("e-mail, could not be delivered: %(at)s", at=settled), "gone": _("e-mail, its record is gone"),
    }  # fmt: skip
    return str(texts[message["state"]])


def _todo(one: Affected, now: datetime) -> Iterator[str]:
    """What is left, and whose it is; nothing once the incident is closed."""
    if one.closed_at is not None:
        return
    if waits(one, now):
        yield _("The operator waits until law enforcement lets the notice go.")
        return
    if one.confirmed_at is None:
        yield _("The operator finds out whether it is confirmed.")
    messages = [message["state"] for notice in one.notices for message in notice["messages"]]
    if not one.notices:
        yield _("The operator sends you the notice.")
    elif "sent" not in messages and "queued" not in messages:
        yield _("No notice reached you by e-mail. Ask the operator for it, and name an office in your contract.")
    elif "sent" not in messages:
        yield _("The mail server takes the notice.")
    yield _("You tell families and authorities, where your law asks for it.")
    yield _("The operator closes the incident when nothing is left to do.")


def _at(one: Affected, at: datetime | None) -> str:
    """By the district's clock, which the text names."""
    return "" if at is None else format_datetime(at.astimezone(one.district.zone), "long", rebase=False)
