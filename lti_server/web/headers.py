"""Security headers: a strict policy on every answer, and who may show a page in a frame."""

from __future__ import annotations

from flask import Flask, Response, request

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {frames}"
)
# What a course shows in a frame. The LMS's page may be on a host that no registration names (Canvas shows tools on the
# school's own), so no list would be right. What may be done there needs the launch's token, never a cookie alone.
FRAMED = ("/lessons/", "/lti/")
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def init_headers(app: Flask, *, https: bool) -> None:
    """Set the headers that a response has not set itself."""

    @app.after_request
    def add(response: Response) -> Response:
        frames = "*" if request.path.startswith(FRAMED) else "'self'"
        headers = response.headers
        headers.setdefault("Content-Security-Policy", CSP.format(frames=frames))
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Permissions-Policy", PERMISSIONS)
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
        headers.setdefault("Cache-Control", "no-store")
        if https:
            headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
        return response
