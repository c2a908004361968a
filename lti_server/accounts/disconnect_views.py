"""Leaving a provider on `/me`: one form for each account that somebody may leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from lti_server.accounts.disconnecting import Disconnect
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.own_views import PERMISSION
from lti_server.errors import NotAuthenticated, NotFound
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectParts:
    """`who` says whose page it is; it raises where nobody is."""

    disconnect: Disconnect
    who: Callable[[], OwnSession]


def blueprint(parts: DisconnectParts) -> Blueprint:
    """The form. Whose account it ends is never asked of it."""
    pages = Blueprint("disconnecting", __name__, url_prefix="/me/accounts", template_folder="templates")

    @pages.post("/disconnect")
    @signed_in(PERMISSION)
    def disconnect() -> Response:
        """Whoever came by the account that they leave is signed out by it, and reads that it is done."""
        parts.disconnect(parts.who(), _id(request.form.get("account", "")))
        try:
            parts.who()
        except NotAuthenticated:
            return make_response(render_template("accounts/disconnected.html"))
        return make_response(redirect(url_for("me.index", _anchor="accounts"), 303))

    return pages


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("Choose one of the accounts that your page shows.") from error
