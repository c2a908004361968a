"""`/privacy`: the notice that the gates enforce, and what the contract of one district makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, render_template
from flask_babel import get_locale

from lti_server.privacy import element_names as names
from lti_server.privacy.contracts import Signed
from lti_server.privacy.notice import Line, contract_lines, limits_in_force, schedule_lines
from lti_server.privacy.notices import NOTICE_DAYS, Version, acting
from lti_server.web.guards import public

# The text that binds where the two say different things.
BINDING = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A district's name and its contract in force, as its notice shows them. None in force: nothing is kept."""

    district: str
    signed: Signed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTerms:
    """What is kept of people who register themselves, and the slugs of their tenants; empty where nobody does.

    `ways` are the titles of providers by whose accounts they may come besides.
    """

    lines: Sequence[Line]
    slugs: Sequence[str]
    ways: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeParts:
    """`published` raises NotFound for a slug that is none. `today` is a day in UTC."""

    versions: Callable[[], Sequence[Version]]
    published: Callable[[str], Published]
    own: Callable[[], OwnTerms]
    today: Callable[[], date]


def blueprint(parts: NoticeParts) -> Blueprint:
    """`/privacy` and `/privacy/districts/<slug>`."""
    pages = Blueprint("notice", __name__, url_prefix="/privacy", template_folder="templates", static_folder="static")

    @pages.get("")
    @public("the notice is for everybody")
    def index() -> str:
        found, today = parts.versions(), parts.today()
        version, purposes = acting(found, today)
        return render_template(
            "privacy/notice.html", lines=schedule_lines(), version=version, binding=BINDING,
            purposes=sorted(one.value for one in purposes), ahead=[one for one in found if one.acts_on > today],
            acted=[one for one in found if one.acts_on <= today], french=_french(), notice_days=NOTICE_DAYS,
            own=parts.own(), **_words(),
        )  # fmt: skip

    @pages.get("/districts/<slug>")
    @public("agreements are published (105 ILCS 85/27; Colorado 22-16-107)")
    def of_district(slug: str) -> str:
        published = parts.published(slug)
        return render_template(
            "privacy/notice_of_district.html", published=published, binding=BINDING, **shown(published.signed)
        )

    return pages


def shown(signed: Signed | None) -> dict[str, Any]:
    """What a page shows of a contract, with the words for it."""
    lines: Sequence[Line] = ()
    values: dict[str, Any] = {"terms": None, "limits": {}, "educators": []}
    if signed is not None:
        terms = signed.terms
        lines = contract_lines(terms)
        values = {"terms": terms, "limits": limits_in_force(terms), "educators": sorted(terms.educator_elements)}
    return {**values, "lines": lines, **_words()}


def _words() -> dict[str, Any]:
    return {
        "names": names.element_names(), "educator_names": names.educator_names(), "forms": names.form_names(),
        "purpose_names": names.purpose_names(), "origins": names.origin_names(), "limit_names": names.limit_names(),
        "ways_out": names.way_out_names(),
    }  # fmt: skip


def _french() -> bool:
    locale = get_locale()
    return locale is not None and locale.language == "fr"
