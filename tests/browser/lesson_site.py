"""The sample of "A lesson on your own site", served as its own site would: one more origin, a strict policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SAMPLES = Path(__file__).parents[2] / "docs" / "how-to" / "samples"
PLACEHOLDER = "https://lti.example"


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """The application on a loopback port, as its origin."""
    http = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join(timeout=10)
        http.server_close()


def site(server: list[str]) -> Flask:
    """The sample, with the one address in it that its author has to fill in; `server` holds it once it is known."""
    app = Flask("lesson_site")

    @app.get("/<path:name>")
    def sample(name: str) -> Response:
        kind = {"html": "text/html", "js": "text/javascript"}[name.rsplit(".", 1)[1]]
        text = (SAMPLES / name).read_text(encoding="utf-8").replace(PLACEHOLDER, server[0])
        policy = f"default-src 'none'; script-src 'self'; connect-src {server[0]}"
        return Response(text, mimetype=kind, headers={"Content-Security-Policy": policy})

    return app


@dataclass
class ApiForOneOrigin:
    """The HTTP contract of a lesson on another site (design 6.3): exchange, resume, save, for one origin alone."""

    origin: str
    ticket: str = "ticket-1"
    attempts: list[dict[str, Any]] = field(default_factory=list)
    saved: bool = True

    def app(self) -> Flask:
        made = Flask("api_for_one_origin")

        @made.after_request
        def share(response: Response) -> Response:
            if request.headers.get("Origin") == self.origin:
                response.headers["Access-Control-Allow-Origin"] = self.origin
                response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
                response.headers["Access-Control-Allow-Methods"] = "GET, POST"
                response.headers["Vary"] = "Origin"
            return response

        @made.post("/api/v1/launch-context")
        def exchange() -> Response:
            if request.get_json() != {"ticket": self.ticket}:
                return Response(status=401)
            self.ticket = ""
            return jsonify(
                token="token-1",
                lesson_id="read-the-lamps",
                api=f"{request.host_url}api/v1",
                locale="en",
                pseudonym="p-4711",
            )

        @made.get("/api/v1/progress")
        def state() -> Response:
            done = any(one["completed"] for one in self.attempts)
            return self._for_bearer(lesson_id="read-the-lamps", activities=[{"completed": done}])

        @made.post("/api/v1/progress")
        def save() -> Response:
            self.attempts.append(request.get_json())
            return self._for_bearer(saved=self.saved)

        return made

    @staticmethod
    def _for_bearer(**body: Any) -> Response:
        if request.headers.get("Authorization") != "Bearer token-1":
            return Response(status=401)
        return jsonify(**body)
