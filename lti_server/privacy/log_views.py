"""The district's log as a page: who asked for what, for whom and why, and what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Protocol

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext as _

from lti_server.errors import InvalidInput
from lti_server.privacy.log_reading import Page, Wanted
from lti_server.web.guards import signed_in

PERMISSION = "log:see"
AT_ONCE = 50


class DistrictLog(Protocol):
    """The log of one district, for one member of its staff; each look at it is an entry of its own."""

    @property
    def zone(self) -> tzinfo: ...

    def read(self, wanted: Wanted, *, after: str | None, limit: int) -> Page: ...

    def checkpoint(self) -> bytes: ...

    def extract(self, wanted: Wanted, *, after: str | None) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogParts:
    """`opened` is the log of whoever is signed in; it raises where nobody is, or may not."""

    opened: Callable[[], DistrictLog]


def blueprint(parts: LogParts) -> Blueprint:
    """`/district/log`, and its signed files: `/district/log/checkpoint` and `/district/log/extract`."""
    pages = Blueprint("log", __name__, url_prefix="/district/log", template_folder="templates", static_folder="static")

    @pages.get("")
    @signed_in(PERMISSION)
    def index() -> Response:
        opened = parts.opened()
        asked = _asked()
        wanted = _wanted(asked, opened.zone)
        page = opened.read(wanted, after=request.args.get("after"), limit=AT_ONCE)
        values = {"page": page, "asked": asked, "zone": opened.zone, "interests": _interests()}
        return make_response(render_template("privacy/log.html", **values))

    @pages.get("/checkpoint")
    @signed_in(PERMISSION)
    def checkpoint() -> Response:
        return _download(parts.opened().checkpoint(), "checkpoint.json")

    @pages.get("/extract")
    @signed_in(PERMISSION)
    def extract() -> Response:
        opened = parts.opened()
        file = opened.extract(_wanted(_asked(), opened.zone), after=request.args.get("after"))
        return _download(file, "log-extract.json")

    return pages


def _asked() -> dict[str, str]:
    return {name: request.args.get(name, "").strip() for name in ("decision", "act", "since", "until")}


def _download(file: bytes, name: str) -> Response:
    answer = make_response(file)
    answer.headers["Content-Type"] = "application/json"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _wanted(asked: dict[str, str], zone: tzinfo) -> Wanted:
    """Days are the district's; the last one is included."""
    faults = []
    days: dict[str, datetime | None] = {}
    for name in ("since", "until"):
        try:
            day = date.fromisoformat(asked[name]) if asked[name] else None
            more = timedelta(days=1 if name == "until" else 0)
            days[name] = None if day is None else datetime.combine(day + more, datetime.min.time(), zone)
        except (ValueError, OverflowError):
            faults.append((f"/{name}", "Write a day as 2026-08-31."))
    if asked["decision"] not in ("", "allowed", "refused"):
        faults.append(("/decision", "Choose allowed or refused, or neither."))
    if faults:
        raise InvalidInput.listing("The log cannot be asked this way.", faults)
    return Wanted(
        act=asked["act"] or None, decision=asked["decision"] or None, since=days["since"], until=days["until"]
    )


def _interests() -> dict[str, str]:
    return {
        "": "",
        "service": _("the service under contract"),
        "operation": _("running the server"),
        "school_official": _("staff of the district"),
        "evaluation": _("evaluation"),
        "own_data": _("the person’s own data"),
        "safety": _("health or safety"),
    }
