"""The picker's pages: the list of lessons inside the LMS's frame, and the form that goes back to the LMS.

The token in the address is the credential, so that no cookie is needed in a frame and none is set.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import force_locale
from flask_babel import gettext as _

from lti_server.errors import InvalidInput
from lti_server.lti import deep_linking
from lti_server.lti.deep_linking import Options
from lti_server.lti.picker import Answer, OnShelf, Picker, Request
from lti_server.web.guards import public
from lti_server.web.headers import CSP
from lti_server.web.languages import N_

MOST_POINTS = 10_000.0
USUAL_POINTS = 100
LONGEST_FIELD = 500


def add_picker(pages: Blueprint, picker: Picker) -> None:
    """`GET|POST /lti/choose` on the LTI blueprint."""

    @pages.get("/choose")
    @public("the token in the address is the credential")
    def choose() -> Response:
        token = request.args.get("request", "")
        asked, shelf, in_time = picker.open(token)
        with force_locale(asked.locale.replace("-", "_")):
            return _page(token, asked, shelf, in_time=in_time)

    @pages.post("/choose")
    @public("the token in the form is the credential")
    def chosen() -> Response:
        token = request.form.get("request", "")
        asked, shelf, in_time = picker.open(token)
        with force_locale(asked.locale.replace("-", "_")):
            if request.form.get("do") == "cancel":
                return _back(picker.cancel(token))
            too_late = _("The list of lessons was open for too long. Open it again from your course.")
            try:
                options = _options()
                return _back(picker.choose(token, request.form.getlist("pick"), options, too_late=too_late))
            except InvalidInput as error:
                return _page(token, asked, shelf, in_time=in_time, error=error)


def _page(
    token: str, asked: Request, shelf: list[OnShelf], *, in_time: bool, error: InvalidInput | None = None
) -> Response:
    settings = asked.settings
    values: dict[str, Any] = {
        "token": token,
        "shelf": shelf,
        "in_time": in_time,
        "kinds": [(kind, _kind_name(kind)) for kind in settings.types],
        "targets": [(one, _target_name(one)) for one in (deep_linking.FRAME, deep_linking.WINDOW)
                    if one in settings.targets],
        "multiple": settings.multiple,
        "gradable": deep_linking.LINK in settings.types and settings.takes_line_item is not False,
        "links": deep_linking.LINK in settings.types,
        "given": request.form,
        "picks": request.form.getlist("pick"),
        "points": USUAL_POINTS,
        "faults": [_(str(one["message"])) for one in _listed(error)],
    }  # fmt: skip
    return make_response(render_template("lti/choose.html", **values), 200 if error is None else 422)


def _listed(error: InvalidInput | None) -> list[dict[str, str]]:
    found = error.public.get("errors") if error is not None else None
    return found if isinstance(found, list) else []


def _back(answer: Answer) -> Response:
    """A form that posts itself to the LMS; without JavaScript, its button does.

    The policy of this one page lets a form go to the LMS's own address, which its signed request named.
    """
    parts = urlsplit(answer.return_url)
    response = make_response(render_template("lti/return.html", address=answer.return_url, jwt=answer.jwt))
    policy = CSP.format(frames="*").replace("form-action 'self'", f"form-action {parts.scheme}://{parts.netloc}")
    response.headers["Content-Security-Policy"] = policy
    return response


def _options() -> Options:
    """What the form says.

    Raises:
        InvalidInput: every field that cannot be read.
    """
    form = request.form
    faults: list[tuple[str, str]] = []
    times = {name: _time(form.get(name, ""), name, faults) for name in ("available_from", "available_until", "due")}
    points = None
    if form.get("graded"):
        try:
            points = float(form.get("points", "").replace(",", ".") or USUAL_POINTS)
        except ValueError:
            points = 0.0
        if not 0 < points <= MOST_POINTS:
            faults.append(("/points", N_("Give the points as a number from 1 to 10000.")))
    if faults:
        raise InvalidInput.listing("The choice was not sent.", faults)
    return Options(
        kind=form.get("kind", deep_linking.LINK), target=form.get("target", ""), points=points,
        available_from=times["available_from"], available_until=times["available_until"], due=times["due"],
    )  # fmt: skip


def _time(text: str, name: str, faults: list[tuple[str, str]]) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, second=0)
    except ValueError:
        faults.append((f"/{name}", N_("Give the day and time as 2026-09-01T08:00.")))
        return None


def _kind_name(kind: str) -> str:
    names = {
        deep_linking.LINK: _("A lesson that opens here, with grades where you want them"),
        deep_linking.WEB: _("A link to the lesson without an account"),
        deep_linking.HTML: _("A text with a link"),
        deep_linking.IMAGE: _("A picture of the lesson"),
        deep_linking.FILE: _("A page to print"),
    }
    return str(names[kind])


def _target_name(target: str) -> str:
    names = {deep_linking.FRAME: _("Inside the course page"), deep_linking.WINDOW: _("In a new window")}
    return str(names[target])
