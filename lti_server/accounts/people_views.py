"""`/district/people`: staff says why, then finds somebody, sees what is kept, and does what the person may ask for.

Every act shows first what it will do. What is searched for is sent in a form and stands in no address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import format_time
from flask_babel import gettext as _

from lti_server.accounts.blocks import Blocks
from lti_server.accounts.corrections import CORRECTABLE, Correct
from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission
from lti_server.accounts.staff_access import LONGEST, MOST_FOUND, Access, StaffAccess, Why
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import DistrictId, PersonId
from lti_server.privacy.element_names import educator_names, element_names
from lti_server.privacy.erasure import Erase
from lti_server.privacy.model import Recipients
from lti_server.privacy.rights import Rights
from lti_server.web.guards import signed_in

PERMISSION = Permission.ANSWER_REQUESTS
ERASE_PATIENCE_S = 5.0
FORBIDDEN = 403
ACTS = ("correct", "drop", "restrict", "lift", "block", "erase")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleParts:
    """`staff` is who is signed in with a permission; the services are those of the `person` commands."""

    staff: Callable[[Permission], StaffSession]
    access: StaffAccess
    rights: Rights
    correct: Correct
    blocks: Callable[[], Blocks]
    erase: Callable[[], Erase]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is to be done to whom; every value is one that the services know."""

    act: str
    field: str
    value: str
    recipients: Recipients | None
    keeps_grades: bool


def blueprint(parts: PeopleParts) -> Blueprint:
    """Every page works without a script, and none of them is kept by a browser."""
    pages = Blueprint("people", __name__, url_prefix="/district/people", template_folder="templates")

    _looking(pages, parts)
    _person(pages, parts)
    _acts(pages, parts)
    return pages


def _looking(pages: Blueprint, parts: PeopleParts) -> None:
    @pages.get("")
    @signed_in(PERMISSION)
    def index() -> str:
        district_id, staff = _who(parts)
        access = parts.access.live(district_id, staff.id)
        return _ask(None) if access is None else _found(access, None, searched=False)

    @pages.post("/access")
    @signed_in(PERMISSION)
    def open_access() -> Response:
        district_id, staff = _who(parts)
        parts.access.open(district_id, staff.id, request.form.get("why", ""), request.form.get("words", ""))
        person = _uuid(request.form.get("person", ""))
        led = url_for("people.index") if person is None else url_for("people.show", person_id=person)
        return make_response(redirect(led, 303))

    @pages.post("/end")
    @signed_in(PERMISSION)
    def end_access() -> Response:
        district_id, staff = _who(parts)
        parts.access.end(district_id, staff.id)
        return make_response(redirect(url_for("people.index"), 303))

    @pages.post("/search")
    @signed_in(PERMISSION)
    def search() -> tuple[str, int] | str:
        district_id, staff = _who(parts)
        access = parts.access.live(district_id, staff.id)
        if access is None:
            return _ask(None), FORBIDDEN
        found = parts.access.search(district_id, staff.id, request.form.get("text", ""))
        return _found(access, found, searched=True)


def _person(pages: Blueprint, parts: PeopleParts) -> None:
    @pages.get("/<uuid:person_id>")
    @signed_in(PERMISSION)
    def show(person_id: UUID) -> tuple[str, int] | str:
        district_id, staff = _who(parts)
        access = parts.access.live(district_id, staff.id)
        if access is None:
            return _ask(person_id), FORBIDDEN
        kept = parts.rights.show(district_id, PersonId(person_id), access.asked("person show"))
        return render_template(
            "accounts/person.html", kept=kept, amounts=amounts(kept["kept"]), **_said(access, str(kept["kind"]))
        )

    @pages.post("/<uuid:person_id>/export")
    @signed_in(PERMISSION)
    def export(person_id: UUID) -> Response:
        district_id, staff = _who(parts)
        access = parts.access.must(district_id, staff.id)
        kept = parts.rights.export(district_id, PersonId(person_id), access.asked("person export"))
        return _file(json.dumps(kept, ensure_ascii=False, indent=2).encode(), f"person-{person_id}.json")

    @pages.get("/<uuid:person_id>/receipt")
    @signed_in(PERMISSION)
    def receipt(person_id: UUID) -> Response:
        district_id, staff = _who(parts)
        parts.access.must(district_id, staff.id)
        return _file(parts.erase().receipt_file(district_id, PersonId(person_id)), f"erasure-{person_id}.json")


def _acts(pages: Blueprint, parts: PeopleParts) -> None:
    @pages.post("/<uuid:person_id>/preview")
    @signed_in(PERMISSION)
    def preview(person_id: UUID) -> str:
        """What would be done, before anything is; the look at the person is in the log."""
        district_id, staff = _who(parts)
        access, wish = parts.access.must(district_id, staff.id), _wish()
        kept = _look(parts, access, district_id, PersonId(person_id))
        return render_template(
            "accounts/person_act.html",
            kept=kept,
            amounts=amounts(kept["kept"]),
            wish=wish,
            **_said(access, str(kept["kind"])),
        )

    @pages.post("/<uuid:person_id>/act")
    @signed_in(PERMISSION)
    def act(person_id: UUID) -> str:
        district_id, staff = _who(parts)
        access, wish = parts.access.must(district_id, staff.id), _wish()
        _do(parts, access, district_id, PersonId(person_id), wish)
        return render_template("accounts/person_done.html", person_id=person_id, wish=wish)


def _do(parts: PeopleParts, access: Access, district_id: DistrictId, person_id: PersonId, wish: _Wish) -> None:
    asked = access.asked(f"person {'restrict' if wish.recipients else 'correct'}")
    if wish.act == "correct":
        parts.correct.put(district_id, person_id, wish.field, wish.value, asked)
    elif wish.act == "drop":
        parts.correct.drop(district_id, person_id, wish.field, asked)
    elif wish.recipients is not None:
        parts.correct.restrict(district_id, person_id, wish.recipients, asked, lift=wish.act == "lift")
    elif wish.act == "block":
        _look(parts, access, district_id, person_id)
        parts.blocks().of_person(district_id, person_id, by=asked.by)
    elif wish.act == "erase":
        _look(parts, access, district_id, person_id)
        parts.erase()(district_id, person_id, by=asked.by, keeps_grades=wish.keeps_grades, patience_s=ERASE_PATIENCE_S)


def _look(parts: PeopleParts, access: Access, district_id: DistrictId, person_id: PersonId) -> dict[str, Any]:
    """What is kept of somebody who is about to be blocked or erased: so the reason is in the log, whatever was seen.

    Raises:
        NotFound: there is nobody with this id (any more).
    """
    kept = parts.rights.show(district_id, person_id, access.asked("person preview"))
    if kept["erased"]:
        raise NotFound("There is no person with this id.")
    return kept


def _wish() -> _Wish:
    """The form of an act.

    Raises:
        InvalidInput: it is none; nothing of it is in the answer.
    """
    said = {name: request.form.get(name, "").strip() for name in ("act", "field", "value", "recipients")}
    act, recipients = said["act"], None
    corrects = act in ("correct", "drop")
    if act not in ACTS or (corrects and said["field"] not in CORRECTABLE) or (act == "correct" and not said["value"]):
        raise InvalidInput(_("Choose what to do, and fill in what it needs. Go back and try again."))
    if act in ("restrict", "lift"):
        if said["recipients"] not in {one.value for one in Recipients}:
            raise InvalidInput(_("Choose what to do, and fill in what it needs. Go back and try again."))
        recipients = Recipients(said["recipients"])
    return _Wish(
        act=act, field=said["field"] if corrects else "", value=said["value"] if act == "correct" else "",
        recipients=recipients, keeps_grades=request.form.get("keeps_grades") == "yes",
    )  # fmt: skip


def _who(parts: PeopleParts) -> tuple[DistrictId, StaffSession]:
    staff = parts.staff(PERMISSION)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff.district_id, staff


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _ask(person_id: UUID | None) -> str:
    return render_template("accounts/people_why.html", reasons=reason_names(), longest=LONGEST, person_id=person_id)


def _found(access: Access, found: object, *, searched: bool) -> str:
    values = {"found": found, "searched": searched, "most": MOST_FOUND, "longest": LONGEST}
    return render_template("accounts/people.html", **values, **_said(access, "pupil"))


def _said(access: Access, kind: str) -> dict[str, object]:
    return {
        "why": reason_names()[access.why.value],
        "until": format_time(access.expires_at, "short", rebase=False),
        "elements": element_names() if kind == "pupil" else educator_names(),
        "fields": field_names(),
        "recipients": recipient_names(),
    }


def _file(content: bytes, name: str) -> Response:
    answer = make_response(content)
    answer.headers["Content-Type"] = "application/json"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def reason_names() -> dict[str, str]:
    """The kinds of reason in the reader's words."""
    return {
        Why.REQUEST.value: _("The person, or a guardian, has asked"),
        Why.SUPPORT.value: _("Somebody cannot get on with a lesson"),
        Why.SAFETY.value: _("A danger to somebody’s health or safety"),
        Why.REVIEW.value: _("We check that our contract is kept"),
    }


def amounts(kept: Mapping[str, int]) -> list[tuple[str, int]]:
    """How much there is of what people have a word for, and of the rest together. The log is not theirs to count."""
    names = {
        "person_field": _("Values"), "membership": _("Classes"), "session": _("Visits"),
        "identity": _("Ways to come in"), "progress_event": _("Attempts in lessons"),
        "grade_delivery": _("Grades for the LMS"),
    }  # fmt: skip
    told = [(text, kept[name]) for name, text in names.items() if name in kept]
    rest = sum(count for name, count in kept.items() if name not in names and name != "log_entry")
    return [*told, (_("Other entries"), rest)]


def field_names() -> dict[str, str]:
    """What can be corrected."""
    return {
        "name": _("Whole name"), "given_name": _("Given name"), "family_name": _("Family name"),
        "middle_name": _("Middle name"), "nickname": _("Nickname"), "school": _("School"), "grade": _("Grade"),
    }  # fmt: skip


def recipient_names() -> dict[str, str]:
    """To whom data can be kept from going."""
    return {
        Recipients.GRADEBOOK.value: _("the gradebook of the LMS"), Recipients.TEACHER.value: _("teachers"),
        Recipients.SCHOOL.value: _("reports to the school"), Recipients.DISTRICT.value: _("reports to the district"),
        Recipients.EVALUATOR.value: _("evaluators"), Recipients.LESSON_SITE.value: _("lessons on other sites"),
    }  # fmt: skip
