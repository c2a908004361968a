"""Which language a page speaks: the address decides, then the browser; nothing is stored for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from babel.support import NullTranslations, Translations
from flask import Flask, has_request_context, request
from flask_babel import get_locale

NAMES = {"en": "English", "fr": "Français"}
# The rest is how a provider answers a sign-in (RFC 6749 4.1.2).
ONCE = frozenset({"lang", "ticket", "code", "state", "error_description", "error_uri"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One choice of the language switch; `address` is this page in that language."""

    code: str
    name: str
    address: str
    current: bool


def selector(locales: Sequence[str]) -> Callable[[], str]:
    """Flask-Babel's `locale_selector`: `?lang=`, else what the browser prefers, else the first of `locales`."""

    def choose() -> str:
        asked = request.args.get("lang", "")
        if asked in locales:
            return asked
        return request.accept_languages.best_match(list(locales)) or locales[0]

    return choose


def N_(text: str) -> str:
    """Mark a text for translation where it is written; it is translated where it is shown."""
    return text


@functools.cache
def translations(locale: str) -> NullTranslations:
    """The catalogue of a language, for where there is no request."""
    return Translations.load(str(resources.files("lti_server") / "translations"), [locale.replace("-", "_")])


def spoken(locale: str) -> Callable[[str], str]:
    """Translates marked texts where there is no request: mails and comments, in a district's language."""
    return translations(locale).gettext


def register(app: Flask, locales: Sequence[str]) -> None:
    """Give templates `page_locale` and `languages`, and carry `?lang=` from page to page in the address."""

    @app.context_processor
    def speak() -> dict[str, Any]:
        code = _current(locales)
        return {"page_locale": code, "languages": _choices(locales, code)}

    @app.url_defaults
    def carry(endpoint: str, values: dict[str, Any]) -> None:
        if not has_request_context() or endpoint == "static" or endpoint.endswith(".static"):
            return
        asked = request.args.get("lang", "")
        if asked in locales:
            values.setdefault("lang", asked)


def _current(locales: Sequence[str]) -> str:
    locale = get_locale()
    return str(locale.language) if locale is not None else locales[0]


def _choices(locales: Sequence[str], current: str) -> list[Language]:
    """A ticket or a code is never repeated in a link: it opens once, and it is nobody else's."""
    if not has_request_context():
        return []
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in ONCE]
    return [
        Language(
            code=code,
            name=NAMES.get(code, code),
            address=f"{request.path}?{urlencode([*kept, ('lang', code)])}",
            current=code == current,
        )
        for code in locales
    ]
