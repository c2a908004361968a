"""`/district/connections`: what a district lets in, suspending it, and revoking it with a receipt that fills itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import format_datetime
from flask_babel import gettext as _
from sqlalchemy.engine import Connection

from lti_server.accounts import tenant_lists
from lti_server.accounts.connecting import BY_REGISTRATION
from lti_server.accounts.connection_reach import reach
from lti_server.accounts.connection_signals import Said, said
from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.live_sessions import LiveSessions, Which
from lti_server.accounts.permissions import Permission, may
from lti_server.accounts.ways_in import Losing, losing
from lti_server.db import Database
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.privacy import grant_view
from lti_server.privacy.grant_states import WITHDRAWN, GrantState, Use
from lti_server.privacy.grant_view import GrantView, Population
from lti_server.privacy.inference import EVIDENCE, Evidence
from lti_server.privacy.revocation import Withdraw
from lti_server.privacy.timetable import Step, StepName
from lti_server.web.guards import signed_in

LONGEST_REASON = 500
PATIENCE_S = 1.0
CHOICES = {"all": frozenset(Use), "signin": frozenset({Use.SIGN_IN}), "roster": frozenset({Use.ROSTER})}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionParts:
    """`staff` is who is signed in with a permission; `receipt` is a signed file, by grant and withdrawal."""

    database: Database
    staff: Callable[[Permission], StaffSession]
    withdraw: Withdraw
    population: Population
    clock: Clock
    receipt: Callable[[Connection, DistrictId, GrantView, UUID], bytes]
    sessions: LiveSessions


def blueprint(parts: ConnectionParts) -> Blueprint:
    """The list, one connection, and what may be done to it. Every change is a form that works without a script."""
    pages = Blueprint("connections", __name__, url_prefix="/district/connections", template_folder="templates")

    @pages.get("")
    @signed_in(Permission.REVOKE_GRANTS)
    def index() -> str:
        district_id, _by = _who(parts)
        with parts.database.tenant(district_id) as connection:
            found = grant_view.every(connection, parts.population)
        shown = [_shown(one, parts.clock.now()) for one in found]
        return render_template("accounts/connections.html", connections=shown, may_connect=_may_connect(parts))

    @pages.get("/<grant_id>")
    @signed_in(Permission.REVOKE_GRANTS)
    def show(grant_id: str) -> str:
        district_id, _by = _who(parts)
        return _page(parts, district_id, _id(grant_id))

    @pages.get("/<grant_id>/receipts/<revocation_id>")
    @signed_in(Permission.REVOKE_GRANTS)
    def receipt(grant_id: str, revocation_id: str) -> Response:
        district_id, _by = _who(parts)
        with parts.database.tenant(district_id) as connection:
            found = grant_view.view(connection, _id(grant_id), parts.population)
            file = parts.receipt(connection, district_id, found, _id(revocation_id))
        answer = make_response(file)
        answer.headers["Content-Type"] = "application/json"
        answer.headers["Content-Disposition"] = f'attachment; filename="receipt-{revocation_id}.json"'
        return answer

    _changes(pages, parts)
    return pages


def _page(parts: ConnectionParts, district_id: DistrictId, grant_id: GrantId) -> str:
    with parts.database.tenant(district_id) as connection:
        found = grant_view.view(connection, grant_id, parts.population)
        lost = _lost(connection, found)
        reached = reach(connection, found.id, found.provider)
        look = tenant_lists.looked(connection, found.id)
        told = said(connection, found.id)
    one = {**_shown(found, parts.clock.now()), **_looked(look)}
    configurable = _may_connect(parts) and one["may_revoke"] and found.provider != BY_REGISTRATION
    values = {
        "configurable": configurable, "may_try": Use.SIGN_IN in found.uses, "signals": [_said(one) for one in told]
    }  # fmt: skip
    return render_template("accounts/connection.html", one=one, lost=lost, reach=reached, **values)


def _changes(pages: Blueprint, parts: ConnectionParts) -> None:
    @pages.post("/<grant_id>/suspend")
    @signed_in(Permission.REVOKE_GRANTS)
    def suspend(grant_id: str) -> Response:
        district_id, by = _who(parts)
        parts.withdraw.suspend(district_id, _id(grant_id), by=by, reason=_reason())
        return _back(grant_id)

    @pages.post("/<grant_id>/resume")
    @signed_in(Permission.REVOKE_GRANTS)
    def resume(grant_id: str) -> Response:
        district_id, by = _who(parts)
        parts.withdraw.resume(district_id, _id(grant_id), by=by, reason=_reason())
        return _back(grant_id)

    @pages.post("/<grant_id>/end-sessions")
    @signed_in(Permission.REVOKE_GRANTS)
    def end_sessions(grant_id: str) -> Response:
        """Whoever is in by this connection has to sign in again; nothing else changes."""
        district_id, by = _who(parts)
        with parts.database.tenant(district_id) as connection:
            found = grant_view.view(connection, _id(grant_id), parts.population)
        parts.sessions.end(district_id, Which(grant_id=found.id), by=by)
        return _back(grant_id)

    @pages.post("/<grant_id>/revoke")
    @signed_in(Permission.REVOKE_GRANTS)
    def revoke(grant_id: str) -> Response:
        """What is in flight after a moment is waited for by the worker; the page says so, and looks again by itself."""
        district_id, by = _who(parts)
        uses, reason = CHOICES.get(request.form.get("uses", "")), _reason()
        if uses is None or not reason:
            raise InvalidInput(_("Choose what to end, and say why. Go back and try again."))
        parts.withdraw.begin(district_id, _id(grant_id), by=by, reason=reason, uses=uses)
        parts.withdraw.finish(district_id, _id(grant_id), patience_s=PATIENCE_S)
        return _back(grant_id)


def _who(parts: ConnectionParts) -> tuple[DistrictId, str]:
    """The district of whoever is signed in, and how the log names them."""
    staff = parts.staff(Permission.REVOKE_GRANTS)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff.district_id, f"staff:{staff.id}"


def _may_connect(parts: ConnectionParts) -> bool:
    return may(parts.staff(Permission.REVOKE_GRANTS).role, Permission.CONNECT_PROVIDERS)


def _id(text: str) -> GrantId:
    try:
        return GrantId(UUID(text))
    except ValueError as error:
        raise NotFound("Check the address.") from error


def _reason() -> str:
    return request.form.get("reason", "").strip()[:LONGEST_REASON]


def _back(grant_id: str) -> Response:
    return make_response(redirect(url_for("connections.show", grant_id=grant_id), 303))


def _lost(connection: Connection, found: GrantView) -> Losing | None:
    """Whom a revocation would shut out; nobody where it is revoked already."""
    return None if GrantState(found.state) in WITHDRAWN else losing(connection, found.id)


def _shown(found: GrantView, now: datetime) -> dict[str, object]:
    return {
        "id": found.id,
        "provider": found.provider,
        "state": found.state,
        "state_text": _states()[found.state],
        "evidence": _(EVIDENCE[Evidence(found.suspended_on)]) if found.suspended_on else "",
        "uses": [_uses()[use] for use in found.uses],
        "use_names": list(found.uses),
        "may_revoke": GrantState(found.state) not in WITHDRAWN,
        "in_flight": found.in_flight,
        "waiting": any(one.acknowledged_at is None for one in found.receipts),
        "receipts": [
            {
                "id": one.id,
                "uses": [_uses()[use] for use in one.uses] or [_("some classes")],
                "requested_at": _when(one.requested_at),
                "acknowledged_at": _when(one.acknowledged_at),
                "dispose_by": one.dispose_by,
                "last_read_at": _when(one.last_read_at),
                "last_send_at": _when(one.last_send_at),
                "steps": [_step(step, now) for step in one.steps],
                "lines": [
                    (_did()[name], count)
                    for part in one.parts
                    for name, count in part.did.items()
                    if count and name in _did()
                ],
            }
            for one in reversed(found.receipts)
        ],
    }


def _looked(look: tenant_lists.Look | None) -> dict[str, object]:
    """When the provider's list of its school systems was last looked at; nothing where there is none."""
    if look is None:
        return {}
    unread = look.read_at != look.looked_at
    return {"looked_at": _when(look.looked_at), "unread": unread, "read_at": _when(look.read_at)}


def _said(one: Said) -> dict[str, object]:
    return {"at": _when(one.at), "kind": _(one.kind), "outcome": _(one.outcome), "sessions": one.sessions}


def _step(step: Step, now: datetime) -> dict[str, object]:
    names = {
        StepName.ENDED: _("Ended here"), StepName.GIVEN_BACK: _("Given back to the provider"),
        StepName.DISPOSED: _("Disposed of"),
    }  # fmt: skip
    at = step.done_at or step.due_at
    said = _("done %(at)s UTC") if step.done_at else _("due %(at)s UTC")
    return {
        "name": names[step.name], "said": said % {"at": format_datetime(at.astimezone(UTC))},
        "late": step.late, "overdue": step.overdue(now),
    }  # fmt: skip


def _states() -> dict[str, str]:
    return {
        "draft": _("not finished"), "awaiting_contract": _("waits for a contract"), "pending": _("waits for approval"),
        "active": _("in force"), "suspended": _("suspended"), "expired": _("expired"),
        "revoking": _("being revoked"), "revoked": _("revoked"),
        "disposing": _("revoked; its data is being disposed of"),
        "disposal_error": _("revoked; its data is not yet disposed of"), "disposed": _("revoked; its data is gone"),
    }  # fmt: skip


def _when(at: datetime | None) -> str:
    return "" if at is None else format_datetime(at.astimezone(UTC))


def _uses() -> dict[str, str]:
    return {"signin": _("sign-in"), "roster": _("class lists")}


def _did() -> dict[str, str]:
    return {
        "sessions": _("sessions ended"), "lesson_tokens": _("lesson tokens wiped"),
        "identities": _("ways in closed"), "service_tokens": _("service tokens wiped"),
        "pickers": _("lesson pickers closed"), "memberships": _("class memberships ended"),
        "sections": _("classes closed"), "jobs": _("jobs cancelled"), "scores": _("grades not sent any more"),
        "runs": _("class list runs ended"), "configurations": _("configurations wiped"),
    }  # fmt: skip
