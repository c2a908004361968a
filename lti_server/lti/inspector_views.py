"""The inspector's pages, for whoever an invitation let in with leave to manage platforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template
from flask_babel import gettext as _

from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, RegistrationId
from lti_server.lti.inspector import Inspection, Inspector
from lti_server.lti.registrations import Registered
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorParts:
    """`staff` is who is signed in with a permission; it raises where nobody is."""

    inspector: Inspector
    staff: Callable[[Permission], StaffSession]
    platforms: Callable[[DistrictId], list[Registered]]


def blueprint(parts: InspectorParts) -> Blueprint:
    """`/platforms` and `/platforms/<id>`."""
    pages = Blueprint("platforms", __name__, url_prefix="/platforms", template_folder="templates")

    @pages.get("")
    @signed_in(Permission.MANAGE_PLATFORMS)
    def index() -> Response:
        staff = parts.staff(Permission.MANAGE_PLATFORMS)
        listed = parts.platforms(staff.district_id) if staff.district_id is not None else []
        return make_response(render_template("lti/platforms.html", platforms=listed))

    @pages.get("/<registration_id>")
    @signed_in(Permission.MANAGE_PLATFORMS)
    def inspect(registration_id: str) -> Response:
        staff = parts.staff(Permission.MANAGE_PLATFORMS)
        # The operator runs the server and reads no district's launches here: the command line is logged.
        if staff.district_id is None:
            raise NotFound("Sign in as an administrator of the district.")
        found = parts.inspector(_id(registration_id), within=staff.district_id)
        return make_response(render_template("lti/inspector.html", **_shown(found)))

    return pages


def _id(text: str) -> RegistrationId:
    try:
        return RegistrationId(UUID(text))
    except ValueError as error:
        raise NotFound("Check the address.") from error


def _shown(found: Inspection) -> dict[str, object]:
    acts = {
        "launch": _("Launch"),
        "deep-linking": _("Choosing lessons"),
        "data-privacy": _("Privacy page"),
        "notice": _("Notice"),
    }
    states = {
        "queued": _("on its way"),
        "delivered": _("delivered"),
        "stale": _("the LMS has a newer one"),
        "parked": _("waits for somebody"),
        "regraded": _("a teacher changed it"),
    }
    waits = {
        "wanted": _("asked for"),
        "registered": _("arriving"),
        "failed": _("not to be had"),
    }
    return {
        "issuer": found.issuer,
        "vendor": found.profile.title,
        "launches": [{"row": one, "act": acts.get(one.act, one.act), "why": _(one.sentence) if one.sentence else ""}
                     for one in found.launches],
        "notices": [{"row": one, "state": waits.get(one.state, one.state),
                     "why": _(one.sentence) if one.sentence else ""} for one in found.notices],
        "deliveries": [{"row": one, "state": states.get(one.state, one.state),
                        "why": _(one.sentence) if one.sentence else ""} for one in found.deliveries],
        "courses": [{"name": one.name, "why": _(one.sentence)} for one in found.courses],
    }  # fmt: skip
