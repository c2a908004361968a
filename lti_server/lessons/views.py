"""The pages of lessons: the list, and the page on which one is played (design 6.3; A-01, A-02, A-71)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Blueprint, Response, current_app, make_response, render_template, request
from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import escape

from lti_server.errors import NotFound
from lti_server.lessons.catalogue import Catalogue
from lti_server.lessons.model import FALLBACK, LANGUAGES, Activity, Lesson, Player
from lti_server.web.guards import public

FROM_COURSE = "course"
MOST_PAGES_KEPT = 500
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchContext:
    """What the page of a launched lesson holds, and nothing else of the person.

    `api` is the address of the HTTP API ("https://host/api/v1"); `activity_id` is "" unless the course links to one
    activity; `teach_url` is a teacher's link to the class. `own_ticket` opens the reader's own page
    (`/me`), once: the lesson's page has a form with it, and no script is given it.
    """

    token: str = field(repr=False)
    lesson_id: str
    api: str
    locale: str
    activity_id: str = ""
    teach_url: str | None = None
    own_ticket: str = field(default="", repr=False)

    def document(self) -> dict[str, str]:
        """The members of `<script id="launch-context">`."""
        members = {"token": self.token, "lesson_id": self.lesson_id, "api": self.api, "locale": self.locale}
        if self.activity_id:
            members["activity_id"] = self.activity_id
        if self.teach_url:
            members["teach"] = self.teach_url
        return members


class OpenTicket(Protocol):
    def __call__(self, ticket: str, lesson_id: str) -> LaunchContext | None:
        """The launch that a ticket opens, once; None where it is spent, too old or of another lesson."""
        ...


class Resume(Protocol):
    def __call__(self, lesson_id: str) -> LaunchContext | None:
        """The launch that this browser's cookie still stands for (a reload), or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    catalogue: Catalogue
    open_ticket: OpenTicket
    resume: Resume
    launched_pages: LaunchedPages


def blueprint(*, catalogue: Catalogue, open_ticket: OpenTicket, resume: Resume) -> Blueprint:
    """The blueprint `lessons`, with its templates and its scripts under /static/lessons."""
    parts = _Parts(catalogue=catalogue, open_ticket=open_ticket, resume=resume, launched_pages=LaunchedPages())
    pages = Blueprint(
        "lessons",
        __name__,
        template_folder="templates",
        static_folder="static/lessons",
        static_url_path="/static/lessons",
    )

    @pages.get("/lessons")
    @public("lessons need no account (A-01)")
    def index() -> str:
        locale = _locale()
        return render_template("lessons/index.html", lessons=[_card(one, locale) for one in catalogue.lessons()])

    @pages.get("/lessons/<lesson_id>")
    @public("lessons need no account (A-01); a launch shows its ticket")
    def play(lesson_id: str) -> Response:
        return _play(parts, lesson_id)

    @pages.get("/lessons/<lesson_id>/sheet")
    @public("lessons need no account (A-01)")
    def sheet(lesson_id: str) -> Response:
        lesson = catalogue.get(lesson_id)
        response = make_response(render_template("lessons/sheet.html", lesson=_card(lesson, _locale())))
        response.headers["Content-Disposition"] = f'attachment; filename="{lesson.id}.html"'
        return response

    return pages


def _play(parts: _Parts, lesson_id: str) -> Response:
    """Play with a launch, or with no account at all; only an address that says "from a course" asks for a launch."""
    lesson = parts.catalogue.get(lesson_id)
    asked = _asked_activity(lesson)
    ticket = request.args.get("ticket", "")
    if not ticket and request.args.get("from") != FROM_COURSE:
        return _player(lesson, None, asked)
    context = parts.open_ticket(ticket, lesson.id) if ticket else None
    context = context or parts.resume(lesson.id)
    if context is None:
        page = render_template("lessons/reopen.html", lesson=_card(lesson, _locale()))
        return _private(make_response(page, 410))
    return parts.launched_pages.page(lesson, context, asked or lesson.activity(context.activity_id))


class LaunchedPages:
    """Pages of launched lessons, rendered once: but for the launch context, a class sees one and the same page.

    What is kept has a placeholder where the context and the ticket go, and nothing of anyone. Lessons added by file are
    not kept, for they may change.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], tuple[str, str, str]] = {}

    def page(self, lesson: Lesson, context: LaunchContext, asked: Activity | None) -> Response:
        """The page with this launch's context in its place, in the language that the launch named."""
        language = context.locale.replace("_", "-").partition("-")[0].lower()
        locale = language if language in LANGUAGES else _locale()
        if lesson.player is None or request.args.get("lang"):
            with force_locale(locale):
                return _player(lesson, context, asked)
        key = (
            lesson.id,
            locale,
            asked.id if asked else "",
            context.teach_url or "",
            "own" if context.own_ticket else "",
        )
        before, between, after = self._kept.get(key) or self._keep(key, lesson, context, asked)
        page = f"{before}{_script(context)}{between}{escape(context.own_ticket)}{after}"
        return _private(Response(page, content_type=HTML))

    def _keep(
        self, key: tuple[str, ...], lesson: Lesson, context: LaunchContext, asked: Activity | None
    ) -> tuple[str, str, str]:
        place = LaunchContext(
            token=secrets.token_hex(16), lesson_id="", api="", locale="", teach_url=context.teach_url,
            own_ticket=context.own_ticket and secrets.token_hex(16),
        )  # fmt: skip
        with force_locale(key[1]):
            before, _, rest = _player(lesson, place, asked).get_data(as_text=True).partition(_script(place))
        between, _, after = rest.partition(place.own_ticket) if place.own_ticket else (rest, "", "")
        if len(self._kept) >= MOST_PAGES_KEPT:
            self._kept.clear()
        self._kept[key] = (before, between, after)
        return before, between, after


def _script(context: LaunchContext) -> str:
    """The context as the template writes it, safe within a script element."""
    return str(htmlsafe_json_dumps(context.document(), dumps=current_app.json.dumps))


def _player(lesson: Lesson, context: LaunchContext | None, asked: Activity | None) -> Response:
    locale = _locale()
    shown = asked or lesson.activities[0]
    values: dict[str, Any] = {
        "lesson": _card(lesson, locale),
        "shown": shown.id,
        "launch": context.document() if context else None,
        "teach_url": context.teach_url if context else None,
        "own_ticket": context.own_ticket if context else "",
        "data": None,
    }
    if lesson.player is not None:
        values["module"] = lesson.player.module
        values["data"] = _data(lesson, lesson.player, locale, asked)
    page = render_template("lessons/play.html" if lesson.player else "lessons/elsewhere.html", **values)
    return _private(make_response(page))


def _private(response: Response) -> Response:
    """The address may hold a ticket and the page a token: neither is kept or told to anyone."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _asked_activity(lesson: Lesson) -> Activity | None:
    """The activity of the address; NotFound for one that the lesson does not have."""
    asked = request.args.get("activity", "")
    if not asked:
        return None
    activity = lesson.activity(asked)
    if activity is None:
        raise NotFound(_("This lesson has no such activity. Open the lesson itself, and choose one there."))
    return activity


def _locale() -> str:
    locale = get_locale()
    return str(locale) if locale is not None else FALLBACK


def _card(lesson: Lesson, locale: str) -> dict[str, Any]:
    return {
        "id": lesson.id,
        "title": lesson.title.within(locale),
        "summary": lesson.summary.within(locale),
        "no_pii": lesson.no_pii,
        "url": lesson.url,
        "host": lesson.hosts[0] if lesson.url else None,
        "activities": [
            {
                "id": one.id,
                "title": one.title.within(locale),
                "goal": one.goal.within(locale) if one.goal else "",
                "written_answer": one.written_answer,
            }
            for one in lesson.activities
        ],
    }


def _data(lesson: Lesson, player: Player, locale: str, asked: Activity | None) -> dict[str, Any]:
    """What the scripts read: puzzles and words in the page's language. Nothing about anyone."""
    return {
        "lesson_id": lesson.id,
        "no_pii": lesson.no_pii,
        "asked": asked.id if asked else "",
        "activities": [{**one, "puzzle": player.puzzles[one["id"]]} for one in _card(lesson, locale)["activities"]],
        "words": {**_words(), **{name: text.within(locale) for name, text in player.words.items()}},
        "language": locale.partition("_")[0],
    }


def _words() -> Mapping[str, str]:
    """What every lesson says, whatever its puzzle is. Names in braces are filled by the scripts."""
    return {
        "not_signed_in": _("You are playing without an account, so nothing is saved."),
        "saving_on": _("Your work is saved for you and your teacher."),
        "saving": _("Saving…"),
        "saved": _("Saved."),
        "not_saved_yet": _("Not saved yet: there is no connection. We keep trying; please leave this page open."),
        "not_kept": _("You opened this lesson without being a pupil of the course, so nothing is saved."),
        "ended": _("Saving has ended. To save again, open the lesson again from your course."),
        "refused": _("This attempt could not be saved. You can go on; tell your teacher if it happens again."),
        "done": _("solved"),
        "best": _("solved in the best way"),
        "next": _("Next: {title}"),
        "all_done": _("You have solved every puzzle of this lesson. Well done!"),
        "your_answer": _("Your answer"),
        "answer_note": _("Your teacher can read it, nobody else. Do not write names or addresses."),
        "answer_note_alone": _("Without an account your answer is not sent anywhere."),
        "send_answer": _("Send the answer"),
        "answer_first": _("Run your program first, then send your answer."),
        "answer_empty": _("Write an answer first."),
        "answer_taken": _("Thank you for your answer."),
    }
