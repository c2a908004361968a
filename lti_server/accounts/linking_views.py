"""The connected accounts on `/me`: somebody connects another one of theirs, and sees before what becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from lti_server.accounts.linking import Linking, Outcome
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.own_views import PERMISSION
from lti_server.accounts.sign_in_states import SignInState
from lti_server.accounts.sign_in_views import SignInCookies
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkingParts:
    """`who` says whose page it is; it raises where nobody is. `title` is what people call a provider.

    `locale` is the reader's language.
    """

    linking: Linking
    who: Callable[[], OwnSession]
    title: Callable[[str], str]
    locale: Callable[[], str]
    base_url: str


def blueprint(parts: LinkingParts) -> Blueprint:
    """Whose account is connected to whose is never asked of a form: the session says the one, a proof the other."""
    pages = Blueprint("linking", __name__, url_prefix="/me/accounts", template_folder="templates")
    cookies = SignInCookies(parts.base_url)

    @pages.post("/connect")
    @signed_in(PERMISSION)
    def connect() -> Response:
        """A provider is reached by a link, for a form may not lead to its host (CSP)."""
        provider = request.form.get("provider", "")
        begun = parts.linking.begin(parts.who(), provider, locale=parts.locale())
        page = render_template("accounts/link_begin.html", title=parts.title(provider), address=begun.address)
        response = make_response(page)
        cookies.bind(response, begun.issued.state.cookie_name, begun.issued.cookie_value)
        return response

    @pages.get("/confirm")
    @signed_in(PERMISSION)
    def confirm() -> Response:
        offer = parts.linking.offer(parts.who())
        if offer is None:
            return _back("")
        rows = preview_rows(offer.preview.has)
        return make_response(
            render_template("accounts/link_confirm.html", title=parts.title(offer.provider), rows=rows)
        )

    @pages.post("/confirm")
    @signed_in(PERMISSION)
    def confirmed() -> Response:
        parts.linking.confirm(parts.who())
        return _back("one")

    @pages.post("/decline")
    @signed_in(PERMISSION)
    def decline() -> Response:
        parts.linking.decline(parts.who())
        return _back("")

    return pages


def finished(linking: Linking) -> Callable[[SignInState, Mapping[str, str]], str]:
    """For the way back from a provider: use the intent, and say where the browser goes then."""

    def link(state: SignInState, params: Mapping[str, str]) -> str:
        outcome = linking.finish(state, params)
        if outcome is Outcome.FOUND:
            return url_for("linking.confirm")
        return url_for("me.index", connected=outcome.value, _anchor="accounts")

    return link


def preview_rows(has: Mapping[str, tuple[int, int]]) -> list[tuple[str, int, int]]:
    """How much each of two has, of what people have a word for."""
    names = {
        "identities": _("Ways to come in"), "fields": _("Values"), "corrections": _("Values that were put right"),
        "classes": _("Classes"), "lessons": _("Lessons with work"), "attempts": _("Attempts in lessons"),
    }  # fmt: skip
    return [(text, *has[name]) for name, text in names.items() if name in has and any(has[name])]


def _back(connected: str) -> Response:
    return make_response(redirect(url_for("me.index", connected=connected or None, _anchor="accounts"), 303))
