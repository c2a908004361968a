"""The lessons' blueprint on a server of its own, with an API that remembers what a page sent it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request, send_from_directory
from flask_babel import Babel
from werkzeug.serving import make_server

import lti_server
from lti_server.lessons import catalogue
from lti_server.lessons.views import LaunchContext, blueprint
from lti_server.web import languages
from lti_server.web.headers import init_headers
from lti_server.web.problems import init_problems

WEB = Path(lti_server.__file__).parent / "web"
TICKET = "a-ticket-for-one-use"


@dataclass
class LessonServer:
    """`requests` are (method, path) in order; `attempts` the bodies of POST /progress; `fail_with` answers them."""

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=lambda: {"activities": []})
    tickets: set[str] = field(default_factory=lambda: {TICKET})
    fail_with: int | None = None
    saved: bool = True
    teacher: bool = False
    tokens: int = 1
    single_activity: str = ""

    def reset(self) -> None:
        fresh = LessonServer(url=self.url)
        for name, value in vars(fresh).items():
            setattr(self, name, value)

    def open_ticket(self, ticket: str, lesson_id: str) -> LaunchContext | None:
        if ticket not in self.tickets:
            return None
        self.tickets.remove(ticket)
        return LaunchContext(
            token="token-1",
            lesson_id=lesson_id,
            api=f"{self.url}/api/v1",
            locale="en",
            activity_id=self.single_activity,
            teach_url=f"{self.url}/teach" if self.teacher else None,
        )


def app(server: LessonServer) -> Flask:
    made = Flask("lesson_server", static_folder=str(WEB / "static"), template_folder=str(WEB / "templates"))
    made.config["BABEL_TRANSLATION_DIRECTORIES"] = str(WEB.parent / "translations")
    Babel(made, locale_selector=languages.selector(("en", "fr")))
    languages.register(made, ("en", "fr"))
    init_headers(made, https=False)
    init_problems(made, "")
    made.register_blueprint(
        blueprint(
            catalogue=catalogue.from_settings(lambda: []),
            open_ticket=server.open_ticket,
            resume=lambda lesson_id: None,
        )
    )

    @made.before_request
    def note() -> None:
        server.requests.append((request.method, request.path))

    @made.get("/")
    def home() -> str:
        from flask import render_template

        return render_template("home.html")

    _api(made, server)
    return made


def _api(made: Flask, server: LessonServer) -> None:
    def refused() -> Response | None:
        if request.headers.get("Authorization") != f"Bearer token-{server.tokens}":
            return Response(status=401)
        return Response(status=server.fail_with) if server.fail_with else None

    @made.get("/api/v1/progress")
    def read() -> Response:
        return refused() or jsonify(server.progress)

    @made.post("/api/v1/progress")
    def save() -> Response:
        refusal = refused()
        if refusal is not None:
            return refusal
        server.attempts.append(request.get_json())
        return jsonify({"saved": server.saved, "summary": {"attempts": 1, "best_score": 1, "completed": True}})

    @made.post("/api/v1/token/renew")
    def renew() -> Response:
        refusal = refused()
        if refusal is not None:
            return refusal
        server.tokens += 1
        return jsonify({"token": f"token-{server.tokens}", "expires_at": "2999-01-01T00:00:00Z"})

    @made.get("/frame/<path:name>")
    def frame(name: str) -> Response:
        return send_from_directory(Path(__file__).parent, name)


@contextmanager
def running() -> Iterator[LessonServer]:
    server = LessonServer()
    http = make_server("127.0.0.1", 0, app(server), threaded=True)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join(timeout=10)
        http.server_close()
