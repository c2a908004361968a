"""`/signin`, `/auth/<provider>/login` and `/auth/<provider>/callback`: to a provider, and back (design 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale

from lti_server.accounts.browser_states import LONGEST_LOGIN_S
from lti_server.accounts.person_sessions import SESSION_LIFE, PersonSessions
from lti_server.accounts.proving import Begun, Proving
from lti_server.accounts.sign_in import SignIn
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.sign_in_states import COOKIE_PREFIX, SignInState
from lti_server.accounts.sign_up_answers import SignUpAnswers
from lti_server.errors import SignInRefused
from lti_server.providers.manifest import Manifest
from lti_server.web.cookies import forget_token, set_token
from lti_server.web.guards import public
from lti_server.web.problems import note_refusal, wants_page

COOKIE = "lti_session"
# Set where a provider sends somebody here who did not begin here; one more time within it is a circle.
GUARD, GUARD_S = "lti_signin_again", 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInParts:
    """`ways` names the providers of a district by its code (title by name); `home` is where somebody goes who is in.

    `link` ends the linking of an account, and says where to go.
    `trial` answers a callback that is an administrator's trial, and no sign-in (trial_views.py).
    `by_email`: whether some come by e-mail; `own_ways` names the providers by whose accounts people come who registered
    themselves, and `answers` is what they have said where they did.
    """

    proving: Proving
    sign_in: SignIn
    link: Callable[[SignInState, Mapping[str, str]], str]
    sessions: PersonSessions
    ways: Callable[[str], Mapping[str, str]]
    by_email: Callable[[], bool]
    own_ways: Callable[[], Mapping[str, str]]
    answers: SignUpAnswers
    home: Callable[[], str]
    describe: Callable[[str], Manifest]
    trial: Callable[[str, Mapping[str, str]], Response | None]
    base_url: str


def blueprint(parts: SignInParts) -> Blueprint:
    """Every page works without a script; a provider is reached by a link, for a form may not lead to its host (CSP)."""
    pages = Blueprint("sign_in", __name__, template_folder="templates")
    cookies = SignInCookies(parts.base_url)

    @pages.get("/signin")
    @public("the way in")
    def index() -> str:
        slug = request.args.get("district", "").strip().lower()[:63]
        ways = parts.ways(slug) if slug else {}
        own = {} if ways else parts.own_ways()
        return render_template("accounts/sign_in.html", slug=slug, ways=ways, own=own, by_email=parts.by_email())

    @pages.get("/auth/<provider>/login")
    @public("the way to a provider")
    def login(provider: str) -> Response:
        slug = request.args.get("district", "").strip().lower()[:63]
        registers = request.args.get("register") == "yes"
        return _away(parts.proving.begin(provider, slug=slug, locale=_locale(), registers=registers), cookies)

    @pages.get("/auth/<provider>/callback")
    @public("the state is bound to the browser")
    def callback(provider: str) -> Response:
        params = request.args.to_dict()
        if "state" in params and (tried := parts.trial(provider, params)) is not None:
            return tried
        back = _finished if "state" in params else _initiated
        try:
            return back(parts, provider, params, cookies)
        except SignInRefused as refusal:
            page = _PAGES.get(refusal.reason)
            if page is None or not wants_page():
                raise
            return page(parts, provider, refusal)

    return pages


def _finished(parts: SignInParts, provider: str, params: Mapping[str, str], cookies: SignInCookies) -> Response:
    """Somebody comes back from where they were sent."""
    session = request.cookies.get(COOKIE, "")
    try:
        state = parts.proving.state(provider, params, request.cookies)
    except SignInRefused as refusal:
        # The same answer twice (a reload, the way back): whoever is in already goes on.
        if refusal.reason == "other-browser" and parts.sessions.of(session) is not None:
            return _to(parts.home())
        raise
    if state.link is not None:
        response = _to(parts.link(state, params))
        cookies.unbind(response, state.cookie_name)
        return response
    signed_in = parts.sign_in.finish(state, params, locale=_locale(), answers=parts.answers.whole(provider))
    # On a shared device whoever comes now takes the place of whoever was here.
    parts.sessions.end(session)
    if signed_in.opened is None:
        response = _to(url_for("lessons.index"))
        cookies.forget_session(response)
    else:
        response = _to(parts.home())
        cookies.keep_session(response, signed_in.opened.cookie)
    parts.answers.forget(response)
    cookies.unbind(response, state.cookie_name)
    cookies.unguard(response)
    return response


def _not_connected(parts: SignInParts, provider: str, refusal: SignInRefused) -> Response:
    """What whoever came can ask their administrator for, in the provider's own words."""
    values = {"provider": parts.describe(provider), "detail": refusal.detail, "error_id": note_refusal(refusal)}
    return make_response(render_template("accounts/not_connected.html", **values), 403)


def _not_registered(parts: SignInParts, provider: str, refusal: SignInRefused) -> Response:
    """Where whoever came can register, or sign in by another way that they have."""
    values = {"detail": refusal.detail, "by_email": parts.by_email(), "error_id": note_refusal(refusal)}
    return make_response(render_template("accounts/not_registered.html", **values), 403)


_PAGES: Mapping[str, Callable[[SignInParts, str, SignInRefused], Response]] = {
    "tenant-not-connected": _not_connected, "not-registered": _not_registered, "address-known": _not_registered,
    "not-adult": _not_registered,
}  # fmt: skip


def _initiated(parts: SignInParts, provider: str, params: Mapping[str, str], cookies: SignInCookies) -> Response:
    """A provider's own portal sent somebody: their code is dropped, and the sign-in begins here (providers.md 1.2)."""
    if "error" in params:
        raise refused("declined")
    if request.cookies.get(GUARD):
        raise refused("in-a-circle")
    response = _away(parts.proving.begin(provider, locale=_locale()), cookies)
    cookies.guard(response)
    return response


def _away(begun: Begun, cookies: SignInCookies) -> Response:
    response = _to(begun.address, 302)
    cookies.bind(response, begun.issued.state.cookie_name, begun.issued.cookie_value)
    return response


def _to(address: str, code: int = 303) -> Response:
    return make_response(redirect(address, code))


def _locale() -> str:
    return str(get_locale() or "")


class SignInCookies:
    """The cookies of signing in. `Lax`: the provider sends the browser back by a link of the top window."""

    def __init__(self, base_url: str) -> None:
        self._https = base_url.startswith("https://")
        path = base_url.partition("://")[2].partition("/")[2]
        self._root = f"/{path}" if path else "/"
        self._auth = f"/{path}/auth" if path else "/auth"

    def bind(self, response: Response, name: str, value: str) -> None:
        """At most a few sign-ins are under way in one browser: the oldest states are let go of."""
        begun = sorted(one for one in request.cookies if one.startswith(COOKIE_PREFIX))
        for old in begun[:-4]:
            self.unbind(response, old)
        set_token(
            response, name, value, path=self._auth, secure=self._https, httponly=True, samesite="Lax",
            max_age=LONGEST_LOGIN_S,
        )  # fmt: skip

    def unbind(self, response: Response, name: str) -> None:
        forget_token(response, name, path=self._auth, secure=self._https, httponly=True, samesite="Lax")

    def guard(self, response: Response) -> None:
        set_token(
            response, GUARD, "1", path=self._auth, secure=self._https, httponly=True, samesite="Lax", max_age=GUARD_S
        )

    def unguard(self, response: Response) -> None:
        """Somebody is in: the next one on a shared device may come from the portal at once."""
        if request.cookies.get(GUARD):
            forget_token(response, GUARD, path=self._auth, secure=self._https, httponly=True, samesite="Lax")

    def keep_session(self, response: Response, value: str) -> None:
        set_token(
            response, COOKIE, value, path=self._root, secure=self._https, httponly=True, samesite="Lax",
            max_age=int(SESSION_LIFE.total_seconds()),
        )  # fmt: skip

    def forget_session(self, response: Response) -> None:
        forget_token(response, COOKIE, path=self._root, secure=self._https, httponly=True, samesite="Lax")
