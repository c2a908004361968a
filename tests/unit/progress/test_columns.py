"""Which columns a lesson has, and what each shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lti_server.lessons.model import Activity, GradebookColumn, Lesson, Text
from lti_server.progress import columns
from lti_server.progress.columns import Column
from lti_server.progress.model import Summary

T = Text(by_language={"en": "Bits", "fr": "Morceaux"})
LESSON = Lesson(
    id="bits", title=T, summary=T, activities=tuple(Activity(id=name, title=T) for name in "abc"),
    columns=(GradebookColumn(id="a", title=T, activities=("a", "b"), extra_credit=("b",), score_maximum=5),),
)  # fmt: skip


def best(score: float, completed: bool = True) -> Summary:
    return Summary(attempts=1, best_score=score, completed=completed, optimal=False)


def test_a_links_own_column_is_the_whole_lesson_or_its_activity() -> None:
    whole = columns.find(LESSON, "")
    assert whole is not None
    assert whole.activities == ("a", "b", "c")
    one = columns.find(LESSON, "b", "fr")
    assert one is not None
    assert (one.activities, one.label) == (("b",), "Morceaux")
    assert columns.find(LESSON, "nothing") is None


def test_a_declared_column_is_never_taken_for_an_activity_of_the_same_id() -> None:
    found = columns.find(LESSON, "column:a")
    assert found is not None
    assert (found.activities, found.score_maximum) == (("a", "b"), 5)
    assert columns.find(LESSON, "column:b") is None
    assert columns.of_unknown("bits", "column:a") is None


def test_what_was_not_tried_counts_nothing_and_is_not_done() -> None:
    whole = columns.find(LESSON, "")
    assert whole is not None
    found = columns.grade(whole, {"a": best(1), "b": best(0.5, completed=False)})
    assert (found.score, found.completed, found.done, found.activities) == (0.5, False, 1, 3)


def test_extra_credit_is_added_and_not_asked_for() -> None:
    (column,) = columns.declared(LESSON)
    assert columns.grade(column, {"a": best(1)}).score == 1
    assert columns.grade(column, {"a": best(1)}).completed
    assert columns.grade(column, {"a": best(1), "b": best(0.5)}).score == 1.5
    assert not columns.tried(column, {"c": best(1)})


SCORES = st.floats(min_value=0, max_value=1)


@given(st.lists(SCORES, min_size=1, max_size=20), st.data())
def test_a_score_passes_the_maximum_by_extra_credit_alone(scores: list[float], data: st.DataObject) -> None:
    names = [f"n{place}" for place in range(len(scores))]
    extra = data.draw(st.sets(st.sampled_from(names), max_size=len(names) - 1))
    found = {name: best(score) for name, score in zip(names, scores, strict=True)}
    column = Column(key="", label="", activities=tuple(names), extra_credit=frozenset(extra))
    score = columns.grade(column, found).score
    asked = len(names) - len(extra)
    assert 0 <= score <= len(names) / asked + 1e-6
    if not extra:
        assert score <= 1
