"""`/me` of whoever registered alone: another name, and deleting everything, without anybody (A-32)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from lti_server.accounts.email_codes import LONGEST_NAME
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.own_views import PERMISSION
from lti_server.errors import InvalidInput
from lti_server.web.guards import signed_in


class OwnRights(Protocol):
    """Does it. Each raises NotAllowed for somebody who has a school: that decides, as it knows them."""

    def check(self, who: OwnSession) -> None: ...
    def rename(self, who: OwnSession, name: str) -> None: ...
    def erase(self, who: OwnSession) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRightsParts:
    """`who` says whose page it is; it raises where nobody is."""

    rights: OwnRights
    who: Callable[[], OwnSession]


def blueprint(parts: OwnRightsParts) -> Blueprint:
    """Forms. Whose name or data it is, is never asked of them."""
    pages = Blueprint("own_rights", __name__, url_prefix="/me", template_folder="templates")

    @pages.route("/name", methods=["GET", "POST"])
    @signed_in(PERMISSION)
    def name() -> Response:
        who, fault = parts.who(), ""
        parts.rights.check(who)
        if request.method == "POST":
            try:
                parts.rights.rename(who, request.form.get("name", "")[:1_000])
            except InvalidInput as error:
                fault = error.detail
            else:
                return make_response(redirect(url_for("me.index", _anchor="known"), 303))
        page = render_template("accounts/me_name.html", fault=fault, longest=LONGEST_NAME)
        return make_response(page, 422 if fault else 200)

    @pages.route("/delete", methods=["GET", "POST"])
    @signed_in(PERMISSION)
    def delete() -> Response:
        """What goes is said before, and a box is ticked: there is no way back."""
        who = parts.who()
        parts.rights.check(who)
        if request.method == "POST" and request.form.get("sure") == "yes":
            parts.rights.erase(who)
            return make_response(render_template("accounts/me_deleted.html"))
        unsure = request.method == "POST"
        page = render_template("accounts/me_delete.html", unsure=unsure)
        return make_response(page, 422 if unsure else 200)

    return pages
