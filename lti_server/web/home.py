"""The front page, and the pages about problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flask import Blueprint, render_template
from flask_babel import gettext as _

from lti_server.errors import LtiServerError, NotFound
from lti_server.web.guards import public


class Catalogue(Protocol):
    """The lessons that the front page counts."""

    def lessons(self) -> Sequence[object]: ...


def blueprint(catalogue: Catalogue) -> Blueprint:
    """`/` and `/problems/<slug>`."""
    pages = Blueprint("home", __name__)

    @pages.get("/")
    @public("the front page says nothing about anyone")
    def index() -> str:
        return render_template("home.html", lessons=catalogue.lessons())

    @pages.get("/problems/<slug>")
    @public("what a problem's type leads to")
    def problem(slug: str) -> str:
        kinds = {kind.slug: kind for kind in _kinds(LtiServerError)}
        if slug not in kinds:
            raise NotFound("Check the address.")
        return render_template("problem.html", title=_(kinds[slug].title), slug=slug)

    return pages


def _kinds(kind: type[LtiServerError]) -> list[type[LtiServerError]]:
    return [kind, *(inner for sub in kind.__subclasses__() for inner in _kinds(sub))]
