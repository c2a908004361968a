"""The catalogue, as a launch and the picker ask it."""

from __future__ import annotations

from collections.abc import Callable

from lti_server.lessons.catalogue import Catalogue
from lti_server.lessons.model import Lesson
from lti_server.lti.deep_linking import Shown
from lti_server.lti.launches import LessonPlace
from lti_server.lti.picker import OnShelf
from lti_server.progress import columns
from lti_server.progress.columns import Column


class LessonsAtLaunch:
    """The catalogue, as a launch asks it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def place(self, lesson_id: str, activity_id: str) -> LessonPlace | None:
        lesson = self._catalogue.find(lesson_id)
        if lesson is None or (activity_id and lesson.activity(activity_id) is None):
            return None
        return LessonPlace(
            lesson_id=lesson.id, activity_id=activity_id, url=lesson.url, hosts=lesson.hosts, no_pii=lesson.no_pii
        )


def column_of(catalogue: Catalogue) -> Callable[[str, str, str], Column | None]:
    """The column of a lesson's id, a key and a locale; None for one that the lesson does not have, or not any more."""

    def find(lesson_id: str, key: str, locale: str) -> Column | None:
        lesson = catalogue.find(lesson_id)
        return columns.of_unknown(lesson_id, key) if lesson is None else columns.find(lesson, key, locale)

    return find


class Shelf:
    """The catalogue, as the picker shows it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def shown(self, locale: str) -> list[OnShelf]:
        return [_on_shelf(lesson, locale) for lesson in self._catalogue.lessons()]


def _on_shelf(lesson: Lesson, locale: str) -> OnShelf:
    picture = f"/static/lessons/pictures/{lesson.id}.png" if lesson.player is not None else None
    title, text = lesson.title.within(locale), lesson.summary.within(locale)
    activities = tuple(
        Shown(
            lesson_id=lesson.id, activity_id=one.id, title=f"{title}: {one.title.within(locale)}",
            text=one.goal.within(locale) if one.goal else text, picture=picture,
        )
        for one in lesson.activities
    )  # fmt: skip
    whole = Shown(lesson_id=lesson.id, activity_id="", title=title, text=text, picture=picture)
    return OnShelf(lesson=whole, activities=activities, hosts=lesson.hosts)
