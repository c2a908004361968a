"""The comment beside a grade: how much of the lesson is done, in the district's language. No word of a pupil's."""

from __future__ import annotations

from lti_server.web.languages import translations


def wording(locale: str, done: int, activities: int) -> str:
    """Such as "2 of 3 activities done"; nothing where there is one activity, whose score says it all."""
    if activities < 2:
        return ""
    text = translations(locale).ngettext(
        "%(done)d of %(activities)d activity done", "%(done)d of %(activities)d activities done", activities
    )
    return text % {"done": done, "activities": activities}
