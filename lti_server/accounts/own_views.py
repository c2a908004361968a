"""`/me`: what is known about whoever reads it, who saw it, and what they may do about it (design 6.3).

Nobody else's page can be asked for: no address here has an id of a person. Every page works without a script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import format_date, format_time

from lti_server.accounts import own_words
from lti_server.accounts.own_door import OwnDoor, OwnSession
from lti_server.accounts.people_views import field_names, recipient_names
from lti_server.errors import NotAllowed, NotAuthenticated
from lti_server.privacy.element_names import purpose_names
from lti_server.privacy.log_reading import Page
from lti_server.privacy.own_requests import LONGEST, OwnCase
from lti_server.web.guards import public, signed_in
from lti_server.web.problems import answer, wants_page

COOKIE = "lti_me"
PERMISSION = "own_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value. `text` is None where a keyed hash alone is kept, which nobody can read."""

    name: str
    text: str | None = field(repr=False)
    corrected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An element of the contract's schedule, its values, and after how many days each goes; None: not by itself."""

    element: str
    values: tuple[Value, ...] = field(repr=False)
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What somebody did in one lesson."""

    title: str
    attempts: int
    solved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOf:
    """A class, by the name that its teachers see, and who teaches it now."""

    name: str
    role: str
    left: bool
    teachers: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A system by which somebody comes here, and what people call it. `stands`: it still leads here.

    `may_leave`: it is theirs to disconnect, and not their last way in.
    """

    id: UUID
    may_leave: bool
    provider: str
    title: str
    host: str
    since: datetime
    stands: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where somebody is signed in, or has a lesson open. `mine`: the one that this page was opened from."""

    id: UUID
    provider: str
    provider_title: str
    lesson_id: str | None
    lesson: str
    created_at: datetime
    seen_at: datetime | None
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that the page shows of one person. `looks` are entries of the log, what others did alone.

    `own`: they registered alone. The days of what is held count from the last sign-in, for no school tells it anew.
    """

    kind: str
    district: str
    slug: str
    zone: ZoneInfo
    held: tuple[Held, ...] = field(repr=False)
    own: bool
    work: tuple[Worked, ...]
    written: int
    grades: int
    visits: int
    classes: tuple[ClassOf, ...]
    accounts: tuple[Account, ...]
    connectable: Mapping[str, str]
    sessions: tuple[Session, ...]
    ways_out: tuple[str, ...]
    restricted: tuple[str, ...]
    consents: tuple[dict[str, Any], ...]
    wishes: Sequence[OwnCase]
    looks: Page = field(repr=False)


class OwnPage(Protocol):
    def read(self, who: OwnSession, *, locale: str, after: str | None) -> Known: ...
    def export(self, who: OwnSession) -> bytes: ...
    def ask(self, who: OwnSession, wish: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParts:
    """`who` is the one guard of these pages: whose they are, by any session that there is; it raises where nobody is.

    `locale` is the reader's language.
    """

    door: OwnDoor
    who: Callable[[], OwnSession]
    page: OwnPage
    locale: Callable[[], str]
    base_url: str


def blueprint(parts: OwnParts) -> Blueprint:
    """The page, its forms, and the door."""
    pages = Blueprint("me", __name__, url_prefix="/me", template_folder="templates")

    @pages.errorhandler(NotAuthenticated)
    def closed(error: NotAuthenticated) -> Response:
        if not wants_page():
            return answer(error, parts.base_url)
        return make_response(render_template("accounts/me_closed.html", closed=False), 401)

    _shown(pages, parts)
    _door(pages, parts)
    return pages


def _shown(pages: Blueprint, parts: OwnParts) -> None:
    @pages.get("")
    @signed_in(PERMISSION)
    def index() -> str:
        known = parts.page.read(parts.who(), locale=parts.locale(), after=request.args.get("after"))
        asked = request.args.get("asked") == "yes"
        return render_template(
            "accounts/me.html", known=known, asked=asked, connected=request.args.get("connected", ""),
            longest=LONGEST, **_words(known)
        )  # fmt: skip

    @pages.post("/export")
    @signed_in(PERMISSION)
    def export() -> Response:
        response = make_response(parts.page.export(parts.who()))
        response.headers["Content-Type"] = "application/json"
        response.headers["Content-Disposition"] = 'attachment; filename="about-me.json"'
        return response

    @pages.post("/ask")
    @signed_in(PERMISSION)
    def ask() -> Response:
        parts.page.ask(parts.who(), request.form.get("wish", ""), request.form.get("text", ""))
        return make_response(redirect(url_for("me.index", asked="yes", _anchor="ask"), 303))


def _door(pages: Blueprint, parts: OwnParts) -> None:
    scheme, _, rest = parts.base_url.partition("://")
    cookie: dict[str, Any] = {
        "path": f"/{rest.partition('/')[2]}/me".replace("//", "/"), "secure": scheme == "https", "httponly": True,
        "samesite": "Lax",
    }  # fmt: skip

    @pages.post("/open")
    @public("the ticket is the credential, once; it stands in the page of a launched lesson")
    def enter() -> Response:
        # A page elsewhere could post a ticket of its own reader, and show somebody what is not about them.
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise NotAllowed("Open a lesson from your course, and choose “What is known about me” below it.")
        key = parts.door.open(request.form.get("ticket", ""), request.cookies.get(COOKIE, ""))
        response = make_response(redirect(url_for("me.index"), 303))
        response.set_cookie(COOKIE, key, **cookie)
        return response

    @pages.post("/close")
    @public("ends what its own cookie opens")
    def close() -> Response:
        parts.door.close(request.cookies.get(COOKIE, ""))
        response = make_response(render_template("accounts/me_closed.html", closed=True))
        response.delete_cookie(COOKIE, **cookie)
        return response


def _words(known: Known) -> dict[str, Any]:
    return {
        "elements": own_words.element_names(known.kind), "fields": field_names(),
        "recipients": recipient_names(), "purposes": purpose_names(), "words": own_words,
        "day": lambda at: format_date(at.astimezone(known.zone), "long", rebase=False),
        "moment": lambda at: _moment(at.astimezone(known.zone)),
        "calendar_day": lambda on: format_date(on, "long"),
    }  # fmt: skip


def _moment(at: datetime) -> str:
    return f"{format_date(at, 'long', rebase=False)}, {format_time(at, 'short', rebase=False)}"
