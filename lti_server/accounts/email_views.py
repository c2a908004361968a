"""`/signup`, `/signin/email`, `/recover` and `/signin/code`: in by one's own e-mail address, without a script.

An address is in a form alone: in no query, no cookie, and not in the page that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from lti_server.accounts.email_codes import KEPT_FOR, LONGEST_ADDRESS, LONGEST_NAME, Letter, Way
from lti_server.accounts.email_sign_in import Asked, EmailSignIn
from lti_server.accounts.newcomers import chosen_name
from lti_server.accounts.person_sessions import PersonSessions
from lti_server.accounts.sign_in import SignedIn
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.sign_in_views import COOKIE, SignInCookies
from lti_server.accounts.sign_up_answers import SignUpAnswers
from lti_server.errors import InvalidInput, SignInRefused
from lti_server.privacy.ages import OLDEST, YOUNGEST
from lti_server.privacy.own_terms import slug_of
from lti_server.web.cookies import forget_token, set_token
from lti_server.web.guards import public

BROWSER = "lti_code"
TOKEN = 43
"""Characters of a browser's token."""
TRY_AGAIN = frozenset({"code-wrong", "code-over"})


class Ways(Protocol):
    def __call__(self, country: str, *, years: int) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailParts:
    """`desks` are the countries whose people come by e-mail; with True, those where somebody new may register.

    `ways` are the providers by which somebody so old may register in a country, title by name; `answers` is what they
    have said before. `hold_back` raises where an address asks too often.
    """

    sign_in: EmailSignIn
    sessions: PersonSessions
    desks: Callable[[bool], Sequence[str]]
    ways: Ways
    answers: SignUpAnswers
    hold_back: Callable[[], None]
    home: Callable[[], str]
    base_url: str


def blueprint(parts: EmailParts) -> Blueprint:
    """Eight pages. Each POST is followed by a page of its own, so that no reload sends anything twice."""
    pages = Blueprint("by_email", __name__, template_folder="templates")
    door = _Door(parts)

    _questions(pages, door)

    @pages.route("/signup/address", methods=["GET", "POST"])
    @public("whoever registers is not known yet")
    def register() -> Response:
        return door.register()

    @pages.route("/signup/with/<provider>", methods=["GET", "POST"])
    @public("whoever registers is not known yet")
    def register_with(provider: str) -> Response:
        return door.register_with(provider)

    @pages.route("/signin/email", methods=["GET", "POST"])
    @public("the way in; the answer is the same whoever the address belongs to")
    def sign_in() -> Response:
        return door.address(Way.SIGN_IN, "by_email.sign_in")

    @pages.route("/recover", methods=["GET", "POST"])
    @public("the way back in; the answer is the same whoever the address belongs to")
    def recover() -> Response:
        return door.address(Way.RECOVER, "by_email.recover")

    @pages.route("/signin/code", methods=["GET", "POST"])
    @public("the code is the credential, in the browser that asked for it")
    def code() -> Response:
        return door.code()

    return pages


def _questions(pages: Blueprint, door: _Door) -> None:
    """What is asked before anything is kept."""

    @pages.route("/signup", methods=["GET", "POST"])
    @public("whoever registers is asked their age first")
    def age() -> Response:
        return door.age()

    @pages.route("/signup/abroad", methods=["GET", "POST"])
    @public("whoever registers is not known yet")
    def abroad() -> Response:
        return door.abroad()


class _Door:
    """What the pages do with a request."""

    def __init__(self, parts: EmailParts) -> None:
        self._parts = parts
        self._cookies = SignInCookies(parts.base_url)
        self._https = parts.base_url.startswith("https://")

    def age(self) -> Response:
        country = self._country(new=True, to="by_email.age")
        if isinstance(country, Response):
            return country
        answers = self._parts.answers
        if answers.age() is not None:  # an answer stands: asking again would say which one is wanted
            return _to("by_email.register", country)
        years = _number(request.form.get("years", ""))
        if request.method == "POST" and years is not None:
            response = _to("by_email.register", country)
            answers.keep_age(response, years)
            return response
        wrong = request.method == "POST"
        values = {"country": country, "wrong": wrong, "youngest": YOUNGEST, "oldest": OLDEST}
        return make_response(render_template("accounts/sign_up.html", **values), 422 if wrong else 200)

    def register(self) -> Response:
        found = self._may_register()
        if isinstance(found, Response):
            return found
        country, years = found
        return self._asked(country, Way.REGISTER, "by_email.register", years)

    def register_with(self, provider: str) -> Response:
        """A name is chosen; then a link leads to the provider, for a form may not (CSP)."""
        found = self._may_register()
        if isinstance(found, Response):
            return found
        country, years = found
        title = self._parts.ways(country, years=years).get(provider)
        if title is None:
            return _to("by_email.register", country)
        values = {"country": country, "provider": provider, "title": title, "longest_name": LONGEST_NAME, "fault": ""}
        if request.method == "GET":
            values |= {"name": self._parts.answers.name(country, provider), "slug": slug_of(country)}
            return make_response(render_template("accounts/sign_up_with.html", **values))
        try:
            name = chosen_name(request.form.get("name", "")[:1_000])
        except InvalidInput as fault:
            values |= {"name": "", "fault": fault.detail}
            return make_response(render_template("accounts/sign_up_with.html", **values), 422)
        response = make_response(redirect(url_for("by_email.register_with", provider=provider, country=country), 303))
        self._parts.answers.keep_name(response, country, provider, name)
        return response

    def _may_register(self, *, ignoring_abroad: bool = False) -> tuple[str, int] | Response:
        """Of which country somebody is and how old, who may register; else a page that asks or says no."""
        country = self._country(new=True, to="by_email.age")
        if isinstance(country, Response):
            return country
        years = self._parts.answers.age()
        if years is None:
            return _to("by_email.age", country)
        if not self._parts.sign_in.may_register(country, years):
            return make_response(render_template("accounts/sign_up_not_alone.html"))
        if not ignoring_abroad and self._parts.sign_in.must_agree(country) not in (None, self._parts.answers.agreed()):
            return _to("by_email.abroad", country)
        return country, years

    def abroad(self) -> Response:
        """Whoever lives elsewhere is told where their data are kept, and agrees or goes (A-72)."""
        found = self._may_register(ignoring_abroad=True)
        if isinstance(found, Response):
            return found
        country, _years = found
        wanted = self._parts.sign_in.must_agree(country)
        if wanted is None:
            return _to("by_email.register", country)
        if request.method == "POST" and request.form.get("agree") == "yes":
            response = _to("by_email.register", country)
            self._parts.answers.keep_agreed(response, wanted)
            return response
        unsure = request.method == "POST"
        where = countries([wanted.kept_in])[wanted.kept_in]
        page = render_template("accounts/sign_up_abroad.html", country=country, where=where, unsure=unsure)
        return make_response(page, 422 if unsure else 200)

    def address(self, way: Way, endpoint: str) -> Response:
        country = self._country(new=False, to=endpoint)
        return country if isinstance(country, Response) else self._asked(country, way, endpoint, None)

    def code(self) -> Response:
        country, browser = _browser()
        if not country:
            raise refused("code-over")
        if request.method == "GET":
            return _code_page(country, "")
        try:
            signed_in = self._parts.sign_in.enter(
                country, browser, request.form.get("code", "")[:40], locale=_locale(),
                end_others=request.form.get("others") == "end",
            )  # fmt: skip
        except SignInRefused as refusal:
            if refusal.reason in TRY_AGAIN:
                return _code_page(country, refusal.reason)
            raise
        return self._in(signed_in)

    def _in(self, signed_in: SignedIn) -> Response:
        """On a shared device whoever comes now takes the place of whoever was here."""
        self._parts.sessions.end(request.cookies.get(COOKIE, ""))
        response = make_response(redirect(self._parts.home() if signed_in.opened else url_for("lessons.index"), 303))
        if signed_in.opened is None:
            self._cookies.forget_session(response)
        else:
            self._cookies.keep_session(response, signed_in.opened.cookie)
        forget_token(response, BROWSER, secure=self._https, httponly=True, samesite="Lax")
        self._parts.answers.forget(response)
        return response

    def _asked(self, country: str, way: Way, endpoint: str, years: int | None) -> Response:
        """The form for an address; once it is sent, on to the code, whoever the address belongs to."""
        if request.method == "GET":
            return self._page(country, way, endpoint, years)
        self._parts.hold_back()
        known, browser = _browser()
        form = request.form
        asked = Asked(
            country=country, way=way, address=form.get("address", "")[:1_000], name=form.get("name", "")[:1_000],
            browser=browser if known else "", years=years, agreed=self._parts.answers.agreed(),
        )  # fmt: skip
        try:
            browser = self._parts.sign_in.ask(asked, letter)
        except InvalidInput as fault:
            return self._page(country, way, endpoint, years, fault.detail)
        response = _to("by_email.code", "")
        value = f"{country.lower()}-{browser}"
        life = int(KEPT_FOR.total_seconds())
        set_token(response, BROWSER, value, max_age=life, secure=self._https, httponly=True, samesite="Lax")
        return response

    def _page(self, country: str, way: Way, endpoint: str, years: int | None, fault: str = "") -> Response:
        ways = {} if years is None else self._parts.ways(country, years=years)
        values = {"country": country, "way": way.value, "to": endpoint, "fault": fault, "ways": ways}
        page = render_template(
            "accounts/email_address.html", longest=LONGEST_ADDRESS, longest_name=LONGEST_NAME, **values
        )
        return make_response(page, 422 if fault else 200)

    def _country(self, *, new: bool, to: str) -> str | Response:
        """Which country's people: the only one, the one that was chosen, or a page that asks.

        Raises:
            SignInRefused: nobody comes by e-mail here.
        """
        found = self._parts.desks(new)
        if not found:
            raise refused("not-open")
        chosen = request.args.get("country", "").upper()[:2]
        if chosen in found:
            return chosen
        if len(found) == 1:
            return found[0]
        return make_response(render_template("accounts/sign_up_country.html", countries=countries(found), to=to))


def letter(kind: Letter, code: str) -> tuple[str, str]:
    """Subject and text of a letter, in the language of the page. It names nobody."""
    shown = f"{code[:4]} {code[4:]}"
    good = _("The code is good for ten minutes, in the browser where you asked for it.")
    unasked = _("You did not ask for this? Then you need do nothing.")
    texts = {
        Letter.REGISTER: _("Your code to register: %(code)s", code=shown),
        Letter.KNOWN_ALREADY: _("You have an account already. Your code to sign in: %(code)s", code=shown),
        Letter.CODE: _("Your code to sign in: %(code)s", code=shown),
        Letter.NOBODY: _("Nobody has registered with this e-mail address, so there is no code."),
    }
    subjects = {
        Letter.REGISTER: _("Your code to register"),
        Letter.NOBODY: _("Signing in to the lessons"),
    }
    lines = [texts[kind], *([] if kind is Letter.NOBODY else [good]), unasked]
    return subjects.get(kind, _("Your code to sign in")), "\n\n".join(lines) + "\n"


def countries(found: Sequence[str]) -> dict[str, str]:
    """The names of countries in the reader's language, in its order."""
    locale = get_locale()
    names = {} if locale is None else locale.territories
    return dict(sorted(((one, names.get(one, one)) for one in found), key=lambda pair: pair[1]))


def _code_page(country: str, reason: str) -> Response:
    return make_response(render_template("accounts/email_code.html", reason=reason), 403 if reason else 200)


def _browser() -> tuple[str, str]:
    """The country and the token of this browser; empty where it has none that is well made."""
    country, _dash, token = request.cookies.get(BROWSER, "").partition("-")
    if len(country) != 2 or len(token) != TOKEN or not token.isascii():
        return "", ""
    return country.upper(), token


def _number(text: str) -> int | None:
    said = text.strip()
    years = int(said) if said.isascii() and said.isdigit() and len(said) < 4 else None
    return years if years is not None and YOUNGEST <= years <= OLDEST else None


def _to(endpoint: str, country: str) -> Response:
    return make_response(redirect(url_for(endpoint, country=country or None), 303))


def _locale() -> str:
    return str(get_locale() or "")
