"""Security headers: a strict policy on every answer, and who may show a page in a frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {frames}"
)
# What a course shows in a frame. The LMS's page may be on a host that no registration names (Canvas shows tools on the
# school's own), so no list would be right. What may be done there needs the launch's token, never a cookie alone.
FRAMED = ("/lessons/", "/lti/")
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def init_headers(app: Flask, *, https: bool) -> None:
    """Set the headers that an answer has not set itself, below Flask: every answer passes there, its own errors too."""
    framed, alone = _fixed("*", https), _fixed("'self'", https)
    inner = app.wsgi_app

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = "/" + environ.get("PATH_INFO", "").lstrip("/")
        fixed = framed if path.startswith(FRAMED) else alone

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            said = {name.lower() for name, _ in headers}
            headers.extend([header for name, header in fixed if name not in said])
            return start_response(status, headers, *exc_info)

        return inner(environ, start)

    app.wsgi_app = answer  # type: ignore[method-assign]  # Flask's own way to wrap an application


def _fixed(frames: str, https: bool) -> tuple[tuple[str, tuple[str, str]], ...]:
    """Each header under its name in small letters."""
    headers = {
        "Content-Security-Policy": CSP.format(frames=frames),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": PERMISSIONS,
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
        "Cache-Control": "no-store",
    }
    if https:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return tuple((name.lower(), (name, value)) for name, value in headers.items())
