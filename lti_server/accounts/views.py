"""Coming in by an invitation, with the promise of confidence (A-47), and signing out.

Opening the link alone spends nothing: previews of mail do that too.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from lti_server.accounts.confidence import Promise, promise_in, promise_of
from lti_server.accounts.invitations import Invitations
from lti_server.accounts.permissions import Permission, StaffRole, may
from lti_server.accounts.person_sessions import PersonSessions
from lti_server.accounts.sign_in_views import COOKIE as PERSON_COOKIE
from lti_server.ids import DistrictId
from lti_server.web.guards import public

COOKIE = "lti_staff"


def blueprint(
    invitations: Invitations, district_name: Callable[[DistrictId], str], *, people: PersonSessions, base_url: str
) -> Blueprint:
    """`/signin/invitation/<token>`, `/account` and `/signout`."""
    pages = Blueprint("accounts", __name__, template_folder="templates")
    https = base_url.startswith("https://")
    path = base_url.partition("://")[2].partition("/")[2]
    cookie_path = f"/{path}" if path else "/"

    @pages.get("/signin/invitation/<token>")
    @public("the token is the credential")
    def invitation(token: str) -> str:
        return _invited(invitations.role_of(token))

    @pages.post("/signin/invitation/<token>")
    @public("the token is the credential")
    def accept(token: str) -> Response:
        promise = promise_of(request.form.get("promise", ""))
        if promise is None:
            return make_response(_invited(invitations.role_of(token), unread=True), 409)
        signed_in = invitations.accept(token, promise)
        response = make_response(redirect(url_for("accounts.account"), 303))
        response.set_cookie(
            COOKIE, signed_in.cookie, path=cookie_path, secure=https, httponly=True, samesite="Lax",
            max_age=12 * 3600,
        )  # fmt: skip
        return response

    _account(pages, invitations, district_name)
    _sign_out(pages, invitations, people, cookie_path, https=https)
    return pages


def _account(pages: Blueprint, invitations: Invitations, district_name: Callable[[DistrictId], str]) -> None:
    @pages.get("/account")
    @public("shows who is signed in, to that one alone")
    def account() -> Response:
        cookie = request.cookies.get(COOKIE, "")
        if invitations.owes_promise(cookie):
            return make_response(_promised_anew())
        found = invitations.session(cookie)
        if found is None:
            return make_response(redirect(url_for("home.index"), 303))
        district = district_name(found.district_id) if found.district_id else ""
        values = {"role": role_name(found.role), "district": district, **_leads_to(found.role, within=bool(district))}
        return make_response(render_template("accounts/account.html", **values))

    @pages.post("/account")
    @public("promises for the session of its own cookie")
    def promise() -> Response:
        read = promise_of(request.form.get("promise", ""))
        if read is None:
            return make_response(_promised_anew(unread=True), 409)
        invitations.promise(request.cookies.get(COOKIE, ""), read)
        return make_response(redirect(url_for("accounts.account"), 303))


def _invited(role: StaffRole, *, unread: bool = False) -> str:
    return render_template("accounts/invitation.html", role=role_name(role), promise=_in_this_language(), unread=unread)


def _promised_anew(*, unread: bool = False) -> str:
    return render_template("accounts/promise_again.html", promise=_in_this_language(), unread=unread)


def _in_this_language() -> Promise:
    locale = get_locale()
    return promise_in(locale.language if locale is not None else "en")


def _sign_out(
    pages: Blueprint, invitations: Invitations, people: PersonSessions, cookie_path: str, *, https: bool
) -> None:
    @pages.post("/signout")
    @public("ends the sessions of its own cookies")
    def sign_out() -> Response:
        invitations.end(request.cookies.get(COOKIE, ""))
        people.end(request.cookies.get(PERSON_COOKIE, ""))
        response = make_response(redirect(url_for("home.index"), 303))
        for name in (COOKIE, PERSON_COOKIE):
            response.delete_cookie(name, path=cookie_path, secure=https, httponly=True, samesite="Lax")
        return response


def role_name(role: StaffRole) -> str:
    """A role in the reader's words."""
    names = {
        StaffRole.OPERATOR: _("operator"),
        StaffRole.DISTRICT_ADMIN: _("district administrator"),
        StaffRole.SCHOOL_ADMIN: _("school administrator"),
        StaffRole.DATA_STEWARD: _("data steward"),
        StaffRole.TEACHER: _("teacher"),
        StaffRole.EVALUATOR: _("evaluator"),
    }
    return str(names[role])


def _leads_to(role: StaffRole, *, within: bool) -> dict[str, bool]:
    """The pages of a district that a role may open."""
    return {
        "sees_district": within and may(role, Permission.SEE_CONTRACT),
        "manages_platforms": within and may(role, Permission.MANAGE_PLATFORMS),
        "answers_requests": within and may(role, Permission.ANSWER_REQUESTS),
        "sees_log": within and may(role, Permission.SEE_LOG),
        "revokes": within and may(role, Permission.REVOKE_GRANTS),
    }
