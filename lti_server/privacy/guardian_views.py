"""`/privacy/request`, where anybody may ask, and `/district/requests`, where the district reads and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from lti_server.errors import NotFound
from lti_server.ids import DistrictId
from lti_server.privacy.guardian_requests import LONGEST, GuardianRequests
from lti_server.web.guards import public, signed_in

PERMISSION = "requests:answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianParts:
    """`staff` is whose district is signed in, and how the log names whoever it is; it raises where nobody may."""

    requests: GuardianRequests
    staff: Callable[[], tuple[DistrictId, str]]


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
        parts.requests.open(request.form.get("district", "")[:63], request.form.get("text", ""))
        return render_template("privacy/request.html", asked="", longest=LONGEST, sent=True)

    @pages.get("/district/requests")
    @signed_in(PERMISSION)
    def index() -> Response:
        district_id, by = parts.staff()
        answer = make_response(render_template("privacy/requests.html", cases=parts.requests.cases(district_id, by=by)))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @pages.post("/district/requests/<case_id>")
    @signed_in(PERMISSION)
    def answered(case_id: str) -> Response:
        district_id, by = parts.staff()
        try:
            wanted = UUID(case_id)
        except ValueError as error:
            raise NotFound("Check the address.") from error
        parts.requests.answered(district_id, wanted, by=by)
        return make_response(redirect(url_for("requests.index"), 303))

    return pages
