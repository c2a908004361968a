"""`/district/people/…/same`: who may be one, what merging would do, merging, and telling two apart again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import format_date
from flask_babel import gettext as _

from lti_server.accounts.candidates import Candidates, Hint
from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.linking_views import preview_rows
from lti_server.accounts.merging import Way
from lti_server.accounts.permissions import Permission
from lti_server.accounts.staff_access import Access, StaffAccess
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import DistrictId, PersonId
from lti_server.web.guards import signed_in

PERMISSION = Permission.ANSWER_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateParts:
    """`staff` is who is signed in with a permission; `now` is this moment."""

    staff: Callable[[Permission], StaffSession]
    access: StaffAccess
    candidates: Candidates
    now: Callable[[], datetime]


def blueprint(parts: CandidateParts) -> Blueprint:
    """Every page wants a live access, whose reason both people read. Nothing is done before it was shown."""
    pages = Blueprint("candidates", __name__, url_prefix="/district/people", template_folder="templates")

    @pages.get("/same")
    @signed_in(PERMISSION)
    def index() -> str:
        district_id, access = _who(parts)
        found, merges = parts.candidates.every(district_id, access)
        now = parts.now()
        shown = [(one, one.may_be_undone(now)) for one in merges]
        return render_template("accounts/candidates.html", found=found, merges=shown, **_words())

    @pages.get("/<uuid:person_id>/same")
    @signed_in(PERMISSION)
    def of(person_id: UUID) -> str:
        district_id, access = _who(parts)
        found = parts.candidates.of(district_id, PersonId(person_id), access)
        return render_template("accounts/candidates.html", found=found, merges=None, person_id=person_id, **_words())

    _acts(pages, parts)
    return pages


def _acts(pages: Blueprint, parts: CandidateParts) -> None:
    @pages.post("/<uuid:person_id>/compare")
    @signed_in(PERMISSION)
    def compare(person_id: UUID) -> str:
        district_id, access = _who(parts)
        both = parts.candidates.compare(district_id, PersonId(person_id), _other(), access)
        rows = preview_rows(both.preview.has)
        return render_template("accounts/merge_preview.html", both=both, rows=rows)

    @pages.post("/<uuid:person_id>/merge")
    @signed_in(PERMISSION)
    def merge(person_id: UUID) -> Response:
        district_id, access = _who(parts)
        parts.candidates.merge(district_id, PersonId(person_id), _other(), access)
        return make_response(redirect(url_for("people.show", person_id=person_id), 303))

    @pages.post("/merges/<uuid:merge_id>/undo")
    @signed_in(PERMISSION)
    def undo(merge_id: UUID) -> Response:
        district_id, access = _who(parts)
        parts.candidates.undo(district_id, merge_id, access)
        return make_response(redirect(url_for("candidates.index"), 303))


def _who(parts: CandidateParts) -> tuple[DistrictId, Access]:
    """The district of whoever is signed in, and why they look.

    Raises:
        NotAllowed: they have not said why, or not in the last half hour.
    """
    staff = parts.staff(PERMISSION)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff.district_id, parts.access.must(staff.district_id, staff.id)


def _other() -> PersonId:
    try:
        return PersonId(UUID(request.form.get("other", "").strip()))
    except ValueError as error:
        raise InvalidInput(_("Choose who else this person is.")) from error


def _words() -> dict[str, object]:
    hints = {
        Hint.NUMBER: _("the same student number"), Hint.EMAIL: _("the same e-mail address"),
        Hint.NAME: _("the same name"),
    }  # fmt: skip
    ways = {
        Way.PROOF: _("the person signed in as both"), Way.ADMINISTRATOR: _("an administrator decided it"),
        Way.SHARED_ID: _("the same student number in two systems"),
    }  # fmt: skip
    return {"hints": hints, "ways": ways, "day": lambda at: format_date(at, "long", rebase=False)}
