"""`/privacy/request`, where anybody may ask, and `/district/requests`, where the district reads and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from lti_server.errors import NotFound
from lti_server.ids import DistrictId
from lti_server.privacy.guardian_requests import LONGEST, GuardianRequests
from lti_server.privacy.own_requests import OwnRequests, Wish
from lti_server.web.guards import public, signed_in

PERMISSION = "requests:answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianParts:
    """`staff` is whose district is signed in, and how the log names whoever it is; it raises where nobody may.

    `hold_back` raises where an address asks too often.
    """

    requests: GuardianRequests
    own: OwnRequests
    staff: Callable[[], tuple[DistrictId, str]]
    hold_back: Callable[[], None]


def blueprint(parts: GuardianParts) -> Blueprint:
    """The form, and the district's list. Both work without a script."""
    pages = Blueprint("requests", __name__, template_folder="templates")

    @pages.get("/privacy/request")
    @public("anybody may ask; nothing is looked up")
    def form() -> str:
        asked = request.args.get("district", "")[:63]
        return render_template("privacy/request.html", asked=asked, longest=LONGEST, sent=False)

    @pages.post("/privacy/request")
    @public("anybody may ask; the answer is the same whatever is asked")
    def send() -> str:
        parts.hold_back()
        parts.requests.open(request.form.get("district", "")[:63], request.form.get("text", ""))
        return render_template("privacy/request.html", asked="", longest=LONGEST, sent=True)

    @pages.get("/district/requests")
    @signed_in(PERMISSION)
    def index() -> Response:
        district_id, by = parts.staff()
        cases, own = parts.requests.cases(district_id, by=by), parts.own.cases(district_id, by=by)
        return make_response(render_template("privacy/requests.html", cases=cases, own=own, wishes=wishes()))

    @pages.post("/district/requests/<case_id>")
    @signed_in(PERMISSION)
    def answered(case_id: str) -> Response:
        district_id, by = parts.staff()
        parts.requests.answered(district_id, _case(case_id), by=by)
        return make_response(redirect(url_for("requests.index"), 303))

    @pages.post("/district/requests/own/<case_id>")
    @signed_in(PERMISSION)
    def own_answered(case_id: str) -> Response:
        district_id, by = parts.staff()
        parts.own.answered(district_id, _case(case_id), by=by)
        return make_response(redirect(url_for("requests.index"), 303))

    return pages


def _case(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("Check the address.") from error


def wishes() -> dict[str, str]:
    """What a person can ask of the district, to the district."""
    return {
        Wish.QUESTION.value: _("A question"),
        Wish.CORRECT.value: _("To correct something"),
        Wish.RESTRICT.value: _("That nothing goes to somebody"),
        Wish.LEAVE.value: _("To leave a class"),
        Wish.ERASE.value: _("To be erased"),
    }
