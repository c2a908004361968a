"""The comment beside a grade: how much of the lesson is done, in the district's language. No word of a pupil's."""

from __future__ import annotations

import functools
from importlib import resources

from babel.support import NullTranslations, Translations


@functools.cache
def _translations(locale: str) -> NullTranslations:
    return Translations.load(str(resources.files("lti_server") / "translations"), [locale.replace("-", "_")])


def wording(locale: str, done: int, activities: int) -> str:
    """Such as "2 of 3 activities done"; nothing where there is one activity, whose score says it all."""
    if activities < 2:
        return ""
    text = _translations(locale).ngettext(
        "%(done)d of %(activities)d activity done", "%(done)d of %(activities)d activities done", activities
    )
    return text % {"done": done, "activities": activities}
