"""An administrator's sign-ins that let nobody in: trying a connection, and claiming a tenant by proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale

from lti_server.accounts.arrivals import STAFF
from lti_server.accounts.check_words import fields
from lti_server.accounts.connecting import Connecting
from lti_server.accounts.connection_checks import ConnectionChecks
from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission
from lti_server.accounts.sign_in_views import SignInCookies
from lti_server.accounts.tenant_claims import Claim, TenantClaims
from lti_server.accounts.trial_sign_ins import Began, Sent, Trial, TrialKind, TrialSignIns
from lti_server.accounts.waiting_tenants import WaitingTenants
from lti_server.errors import NotAllowed, NotFound
from lti_server.ids import DistrictId, GrantId
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialParts:
    """`staff` is who is signed in with a permission; `title` is how people call a provider."""

    staff: Callable[[Permission], StaffSession]
    connecting: Connecting
    claims: TenantClaims
    trials: TrialSignIns
    checks: ConnectionChecks
    waiting: WaitingTenants
    title: Callable[[str], str]
    base_url: str


def blueprint(parts: TrialParts) -> Blueprint:
    """Claims and trials. A provider is reached by a link, for a form may not lead to its host (CSP)."""
    pages = Blueprint("trials", __name__, url_prefix="/district/connections", template_folder="templates")

    @pages.post("/new/<provider>/claim")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def claim(provider: str) -> Response:
        staff, district_id = _who(parts)
        claim_id = parts.claims.open(district_id, staff.id, provider)
        return make_response(redirect(url_for("trials.claimed", claim_id=claim_id), 303))

    @pages.get("/claims/<claim_id>")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def claimed(claim_id: str) -> Response:
        staff, district_id = _who(parts)
        found = parts.claims.standing(district_id, staff.id, _id(claim_id))
        waits = None if found.tenant is None else parts.waiting.one(found.provider, found.tenant)
        values = {"claim": found, "title": parts.title(found.provider), "waits": waits}
        return make_response(render_template("accounts/claim.html", **values), 403 if found.refused else 200)

    @pages.get("/claims/<claim_id>/go")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def go(claim_id: str) -> Response:
        staff, district_id = _who(parts)
        found = parts.claims.standing(district_id, staff.id, _id(claim_id))
        began = Began(kind=TrialKind.CLAIM, district_id=district_id, session_id=staff.id, about=found.id)
        config = parts.claims.application(found.provider)
        return _away(parts, parts.trials.begin(began, found.provider, config, locale=str(get_locale() or "")))

    @pages.post("/claims/<claim_id>")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def take(claim_id: str) -> Response:
        staff, district_id = _who(parts)
        made = parts.claims.take(district_id, staff.id, _id(claim_id), by=f"staff:{staff.id}")
        return make_response(redirect(url_for("connections.show", grant_id=made.grant_id), 303))

    _trying(pages, parts)
    return pages


def _trying(pages: Blueprint, parts: TrialParts) -> None:
    @pages.get("/<grant_id>/try")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def attempt(grant_id: str) -> Response:
        staff, district_id = _who(parts)
        found, _manifest = parts.connecting.standing(district_id, GrantId(_id(grant_id)))
        began = Began(kind=TrialKind.TRY, district_id=district_id, session_id=staff.id, about=found.grant_id)
        sent = parts.trials.begin(
            began, found.provider, parts.connecting.whole(found), tenant=found.tenant or "",
            locale=str(get_locale() or ""),
        )  # fmt: skip
        return _away(parts, sent)


def arrived(parts: TrialParts, provider: str, params: Mapping[str, str]) -> Response | None:
    """What a provider's callback ends, where that is a trial; None where it is a sign-in.

    Raises:
        NotAllowed: whoever is at this browser is not in the console in which it began.
    """
    trial = parts.trials.read(provider, params, request.cookies)
    if trial is None:
        return None
    staff, district_id = _who(parts)
    if (staff.id, district_id) != (trial.began.session_id, trial.began.district_id):
        raise NotAllowed("This sign-in began in another session of the console. Begin it again in this one.")
    response = {TrialKind.CLAIM: _proven, TrialKind.TRY: _tried}[trial.began.kind](parts, trial, params)
    SignInCookies(parts.base_url).unbind(response, trial.cookie_name)
    return response


def _proven(parts: TrialParts, trial: Trial, params: Mapping[str, str]) -> Response:
    claim: Claim = parts.claims.standing(trial.began.district_id, trial.began.session_id, trial.began.about)
    identity = parts.trials.identity(trial, parts.claims.application(claim.provider), params)
    parts.claims.prove(claim, identity)
    return make_response(redirect(url_for("trials.claimed", claim_id=claim.id), 303))


def _tried(parts: TrialParts, trial: Trial, params: Mapping[str, str]) -> Response:
    """Nobody is let in, and nothing of the account is kept: what would be, by name, is all that is said of it."""
    began = trial.began
    found, _manifest = parts.connecting.standing(began.district_id, GrantId(began.about))
    identity = parts.trials.identity(trial, parts.connecting.whole(found), params)
    seen = parts.checks.of_person(began.district_id, found.provider, identity.person, by=f"staff:{began.session_id}")
    values = {
        "found": found, "title": parts.title(found.provider), "fits": identity.tenant == (found.tenant or ""),
        "named": bool(identity.tenant), "staff": identity.person.role in STAFF, **fields(seen),
    }  # fmt: skip
    return make_response(render_template("accounts/tried.html", **values))


def _away(parts: TrialParts, sent: Sent) -> Response:
    response = make_response(redirect(sent.address, 302))
    SignInCookies(parts.base_url).bind(response, sent.cookie_name, sent.cookie_value)
    return response


def _who(parts: TrialParts) -> tuple[StaffSession, DistrictId]:
    staff = parts.staff(Permission.CONNECT_PROVIDERS)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff, staff.district_id


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("Check the address.") from error
