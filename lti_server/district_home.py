"""`/district`: what is missing until lessons open, step by step, and the ways to a district's other pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import sqlalchemy as sa
from flask import Blueprint, current_app, render_template, url_for
from flask_babel import format_date
from flask_babel import gettext as _
from sqlalchemy.engine import Connection

from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission, may
from lti_server.errors import NotFound
from lti_server.house import House
from lti_server.privacy import contracts
from lti_server.privacy.districts import District
from lti_server.web.guards import signed_in

DONE, NEXT, LATER = "done", "next", "later"
# The pages of a district, and who may open them.
PAGES: Mapping[str, Permission] = MappingProxyType(
    {
        "contract.index": Permission.SEE_CONTRACT,
        "connections.index": Permission.REVOKE_GRANTS,
        "platforms.index": Permission.MANAGE_PLATFORMS,
        "log.index": Permission.SEE_LOG,
        "incidents.index": Permission.SEE_LOG,
        "requests.index": Permission.ANSWER_REQUESTS,
        "people.index": Permission.ANSWER_REQUESTS,
        "dispositions.index": Permission.REVOKE_GRANTS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a district has come: counts and states, nothing about a person."""

    contract: contracts.Signed | None
    grants: frozenset[str]
    looked_at: bool
    launched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `state`: done, next (the first that is not done) or later; `address` leads to where it is taken."""

    name: str
    text: str
    state: str
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A page of the district that the reader may open."""

    name: str
    address: str


def blueprint(house: House, staff: Callable[[Permission], StaffSession]) -> Blueprint:
    """The page that an administrator begins with."""
    pages = Blueprint("district", __name__)

    @pages.get("/district")
    @signed_in(Permission.SEE_CONTRACT)
    def index() -> str:
        reader = staff(Permission.SEE_CONTRACT)
        if reader.district_id is None:
            raise NotFound("Sign in as an administrator of the district.")
        with house.database.tenant(reader.district_id) as connection:
            owner = house.entered(connection)
            found = standing(connection, house, owner)
        steps = checklist(found, reader.role)
        ready = all(one.state == DONE for one in steps)
        return render_template("district.html", district=owner.name, steps=steps, ready=ready, ways=ways(reader.role))

    return pages


def standing(connection: Connection, house: House, owner: District) -> Standing:
    """Read where the entered district stands."""
    versions = contracts.versions(connection, owner.zone, house.clock.now())
    by_state = {one.state: one for one in reversed(versions)}
    newest = next((by_state[state] for state in ("in_force", "waiting", "expired") if state in by_state), None)
    row = connection.execute(_STANDING).one()
    return Standing(contract=newest, grants=frozenset(row.grants or ()), looked_at=row.looked_at, launched=row.launched)


def checklist(found: Standing, role: str) -> list[Step]:
    """The steps in their order: the first that is not done is the next one. A link leads where the reader may go."""
    open_to = {endpoint: _address(endpoint) for endpoint, permission in PAGES.items() if may(role, permission)}
    listed = [one(found, open_to) for one in (_contract, _connection, _preview, _launch)]
    steps: list[Step] = []
    for name, text, done, address in listed:
        before = all(one.state == DONE for one in steps)
        steps.append(Step(name=name, text=text, state=DONE if done else NEXT if before else LATER, address=address))
    return steps


Told = tuple[str, str, bool, str | None]
Open = Mapping[str, str | None]


def _contract(found: Standing, open_to: Open) -> Told:
    name, address, one = _("Contract"), open_to.get("contract.index"), found.contract
    if one is None:
        return (
            name,
            _("No contract is signed yet. Without one nothing is collected, and no lesson opens."),
            False,
            address,
        )
    if one.state == "waiting":
        return name, _("Signed. It begins on %(day)s.", day=format_date(one.valid_from)), False, address
    if one.state == "expired":
        text = _(
            "The contract ended on %(day)s. Until a new one is signed, nothing opens.", day=format_date(one.valid_to)
        )
        return name, text, False, address
    return name, _("In force until %(day)s.", day=format_date(one.valid_to)), True, address


def _connection(found: Standing, open_to: Open) -> Told:
    name, address = _("Connection"), open_to.get("connections.index")
    if "active" in found.grants:
        return name, _("Your LMS, or another source, is connected."), True, address
    if "pending" in found.grants:
        return name, _("Your LMS has registered itself. The operator of this server approves it now."), False, address
    if "suspended" in found.grants:
        return name, _("The connection is suspended. Resume it, and lessons open again."), False, address
    return (
        name,
        _("Nothing is connected. Ask the operator of this server for an invitation for your LMS."),
        False,
        address,
    )


def _preview(found: Standing, open_to: Open) -> Told:
    name, address = _("Preview"), open_to.get("platforms.index")
    if found.looked_at:
        return name, _("The class lists were read, and what your contract refuses was left out."), True, address
    return (
        name,
        _("Read the class lists once: you see what would be kept, and what your contract refuses."),
        False,
        address,
    )


def _launch(found: Standing, open_to: Open) -> Told:
    name, address = _("First launch"), open_to.get("platforms.index")
    if found.launched:
        return name, _("Somebody has opened a lesson."), True, address
    return name, _("Open a lesson from a course. If it is refused, the list of launches says why."), False, address


def ways(role: str) -> list[Way]:
    """The pages that there are in this version, and that the reader's role may open."""
    names = {
        "contract.index": _("Contract"),
        "connections.index": _("Connections"),
        "platforms.index": _("Launches and grades"),
        "log.index": _("Log"),
        "incidents.index": _("Incidents"),
        "requests.index": _("Requests of guardians and pupils"),
        "people.index": _("People, with a reason"),
        "dispositions.index": _("Disposition of data, and certificates"),
    }
    found = [(names[one], _address(one)) for one, permission in PAGES.items() if may(role, permission)]
    return [Way(name=name, address=address) for name, address in found if address is not None]


def _address(endpoint: str) -> str | None:
    return url_for(endpoint) if endpoint in current_app.view_functions else None


_STANDING = sa.text(
    "SELECT (SELECT array_agg(DISTINCT state) FROM grants) AS grants,"
    " EXISTS (SELECT FROM roster_run WHERE state IN ('planned', 'applied', 'held')) AS looked_at,"
    " EXISTS (SELECT FROM log_entry WHERE act = 'launch' AND decision = 'allowed') AS launched"
)
