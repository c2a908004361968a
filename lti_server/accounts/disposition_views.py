"""`/district/dispositions`: what was asked to go, by when and by which clause, and the certificate of what went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template
from flask_babel import format_date, format_datetime
from flask_babel import gettext as _
from sqlalchemy.engine import Connection

from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission
from lti_server.db import Database
from lti_server.errors import NotFound
from lti_server.ids import DistrictId
from lti_server.privacy.disposition import Dispose, Disposition
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionParts:
    """`staff` is who is signed in with a permission; `today` is the entered district's day."""

    database: Database
    staff: Callable[[Permission], StaffSession]
    dispose: Callable[[], Dispose]
    today: Callable[[Connection], date]


def blueprint(parts: DispositionParts) -> Blueprint:
    """The list, and each certificate as a signed file. Asking is the command line's."""
    pages = Blueprint("dispositions", __name__, url_prefix="/district/dispositions", template_folder="templates")

    @pages.get("")
    @signed_in(Permission.REVOKE_GRANTS)
    def index() -> str:
        with parts.database.tenant(_district(parts)) as connection:
            found, today = parts.dispose().every(connection), parts.today(connection)
        return render_template("accounts/dispositions.html", dispositions=[_shown(one, today) for one in found])

    @pages.get("/<uuid:disposition_id>/certificate")
    @signed_in(Permission.REVOKE_GRANTS)
    def certificate(disposition_id: UUID) -> Response:
        answer = make_response(parts.dispose().certificate(_district(parts), disposition_id))
        answer.headers["Content-Type"] = "application/json"
        answer.headers["Content-Disposition"] = f'attachment; filename="certificate-{disposition_id}.json"'
        return answer

    return pages


def _district(parts: DispositionParts) -> DistrictId:
    staff = parts.staff(Permission.REVOKE_GRANTS)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff.district_id


def _shown(one: Disposition, today: date) -> dict[str, object]:
    waits = (
        _("waits for its day") if one.due_on > today else _("is due today") if one.due_on == today else _("is overdue")
    )
    states = {
        "waiting": waits, "running": _("under way"), "failed": _("failed, and is tried again"),
        "done": _("done"),
    }  # fmt: skip
    did = {
        "people": _("people erased, each with their key"), "fields": _("values of others taken away"),
        "identities": _("ids at the provider wiped"), "class_names": _("names of classes wiped"),
    }  # fmt: skip
    return {
        "id": one.id,
        "part": _("the whole district") if one.grant_id is None else _("one connection"),
        "grant_id": one.grant_id,
        "due_on": format_date(one.due_on),
        "clause": one.clause,
        "days": one.days,
        "returned": one.returned,
        "state": states[one.state],
        "overdue": one.overdue,
        "backups_until": "" if one.backups_until is None else format_date(one.backups_until),
        "done_at": "" if one.done_at is None else format_datetime(one.done_at.astimezone(UTC)),
        "lines": [(text, one.did[name]) for name, text in did.items() if name in one.did],
    }
