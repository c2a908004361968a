"""Gradebook columns of a lesson, and the grade that each shows: pure rules (design 6.7).

A column's key is empty for the link's whole lesson, an activity's id, or `column:` and the id of one that the lesson
declares. No activity's id has a colon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lti_server.lessons.model import Lesson
from lti_server.progress.model import Grade, Summary

DECLARED = "column:"
SCORE_MAXIMUM = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as its lesson has it. `extra_credit` are activities that add up and are not asked for."""

    key: str
    label: str
    activities: tuple[str, ...]
    extra_credit: frozenset[str] = frozenset()
    score_maximum: float = SCORE_MAXIMUM


def own(lesson: Lesson, activity_id: str, locale: str = "en") -> Column | None:
    """The column of a link to a lesson, or to one activity of it; None where the lesson has no such activity."""
    if not activity_id:
        return Column(
            key="", label=lesson.title.within(locale), activities=tuple(activity.id for activity in lesson.activities)
        )
    activity = lesson.activity(activity_id)
    if activity is None:
        return None
    return Column(key=activity.id, label=activity.title.within(locale), activities=(activity.id,))


def declared(lesson: Lesson, locale: str = "en") -> list[Column]:
    """The further columns that a lesson's file declares (docs/reference/lesson-file.md)."""
    return [
        Column(
            key=DECLARED + one.id, label=one.title.within(locale), activities=one.activities,
            extra_credit=frozenset(one.extra_credit), score_maximum=one.score_maximum,
        )
        for one in lesson.columns
    ]  # fmt: skip


def find(lesson: Lesson, key: str, locale: str = "en") -> Column | None:
    """The column of a key; None for one that the lesson does not have, or not any more."""
    if key.startswith(DECLARED):
        return next((column for column in declared(lesson, locale) if column.key == key), None)
    return own(lesson, key, locale)


def of_unknown(lesson_id: str, key: str) -> Column | None:
    """The link's own column of a lesson that this process does not know, so that what was earned in it still goes out.

    None for one that such a lesson declared: what counted there is not known either.
    """
    return None if key.startswith(DECLARED) else Column(key=key, label=lesson_id, activities=(key,) if key else ())


def grade(column: Column, summaries: Mapping[str, Summary]) -> Grade:
    """The mean of the best scores of a column's activities, missing ones counting 0.

    Extra credit is added without being asked for, so that there alone the score may be above 1.
    """
    found = {name: summaries[name] for name in column.activities if name in summaries}
    asked = [name for name in column.activities if name not in column.extra_credit]
    total = sum(one.best_score for one in found.values())
    done = {name for name, one in found.items() if one.completed}
    return Grade(
        score=round(total / len(asked), 6), completed=done.issuperset(asked),
        done=len(done), activities=len(column.activities),
    )  # fmt: skip


def tried(column: Column, summaries: Mapping[str, Summary]) -> bool:
    """Whether there is anything to grade: a column that nobody touched stays empty and is not a 0."""
    return any(name in summaries for name in column.activities)
