"""`/privacy/deletion/<code>`: what became of a deletion that was asked for at a provider such as Facebook."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, render_template

from lti_server.privacy.deletion_status import DeletionStatus
from lti_server.web.guards import public


def blueprint(status: Callable[[str], DeletionStatus]) -> Blueprint:
    """One page without a script, in the reader's language."""
    pages = Blueprint("deletion", __name__, url_prefix="/privacy/deletion", template_folder="templates")

    @pages.get("/<code>")
    @public("the code is the credential; the page names nobody")
    def show(code: str) -> str:
        return render_template("privacy/deletion.html", one=status(code), code=code)

    return pages
