"""Forms that only this site's own pages may post (Flask-WTF)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response

from lti_server.errors import NotAllowed
from lti_server.web.problems import answer

# Nothing under these is a form of this site's own: their credential is in the request, and no cookie is read or set.
WITHOUT_FORMS = ("/lti/", "/lessons/", "/api/", "/signals/", "/static/")

# Of the API, what the console's session may do, with the form token in X-CSRFToken.
WITH_SESSIONS = ("/api/v1/grants",)


class FormSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, opened only where a form may need its token."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """A session that was not opened refuses to be written to."""
        if request.path.startswith(WITHOUT_FORMS) and not request.path.startswith(WITH_SESSIONS):
            return self.make_null_session(app)
        return super().open_session(app, request)


def init_csrf(app: Flask, keys: Sequence[bytes], base_url: str) -> None:
    """Ask every form for its token. The keys are SECRET_KEYS' own, so that all workers agree; the first one signs.

    What an older one signed is taken, too: a form that stood open over a rotation can be sent.
    """
    app.config.update(
        SECRET_KEY=keys[0],
        SECRET_KEY_FALLBACKS=list(keys[1:]),
        WTF_CSRF_SECRET_KEY=list(reversed(keys)),  # itsdangerous signs with the last one of a list
        WTF_CSRF_TIME_LIMIT=None,
        SESSION_COOKIE_NAME="lti_form",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
    )
    app.session_interface = FormSessions()
    protection = CSRFProtect(app)
    app.extensions["csrf_protection"] = protection

    @app.errorhandler(CSRFError)
    def refused(_: CSRFError) -> Response:
        refusal = NotAllowed(
            "This form is too old or came from another site. Open the page again and send it once more."
        )
        return answer(refusal, base_url)


def exempt_from_csrf(app: Flask, blueprints: Sequence[str], *, views: Sequence[str] = ()) -> None:
    """Endpoints whose credential is in the request itself (a signed state, a bearer token), and no cookie."""
    for name in blueprints:
        app.extensions["csrf_protection"].exempt(app.blueprints[name])
    for name in views:
        app.extensions["csrf_protection"].exempt(app.view_functions[name])
