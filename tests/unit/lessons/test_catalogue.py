"""Which lessons are here, and how little is asked of the database for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lti_server.errors import ConfigurationError, NotFound
from lti_server.lessons.catalogue import FRESH_S, Catalogue, from_settings, samples
from lti_server.lessons.model import Activity, Lesson, Text


def lesson(name: str, title: str = "Word") -> Lesson:
    word = Text(by_language={"en": title})
    return Lesson(
        id=name, title=word, summary=word, activities=(Activity(id="a", title=word),), url="https://x.example/"
    )


class Shelf:
    """Stored lessons that count how often they are read, and a clock."""

    def __init__(self, *lessons: Lesson) -> None:
        self.lessons = list(lessons)
        self.reads = 0
        self.now_s = 0.0

    def __call__(self) -> list[Lesson]:
        self.reads += 1
        return list(self.lessons)

    def catalogue(self, *packaged: Lesson) -> Catalogue:
        return Catalogue(packaged, self, monotonic_s=lambda: self.now_s)


def test_a_packaged_lesson_asks_nothing_of_the_database() -> None:
    shelf = Shelf(lesson("added"))
    assert shelf.catalogue(lesson("packaged")).get("packaged").id == "packaged"
    assert shelf.reads == 0


def test_a_lesson_is_read_once_while_it_is_fresh() -> None:
    shelf = Shelf(lesson("added"))
    catalogue = shelf.catalogue()
    for _ in range(10):
        assert catalogue.get("added").id == "added"
    assert shelf.reads == 1


def test_an_added_lesson_is_known_at_once_and_a_changed_one_soon() -> None:
    shelf = Shelf(lesson("added"))
    catalogue = shelf.catalogue()
    catalogue.get("added")
    shelf.lessons = [lesson("added", "Changed"), lesson("new")]
    assert catalogue.get("new").id == "new"
    shelf.lessons = [lesson("added", "Changed again"), lesson("new")]
    shelf.now_s += FRESH_S
    assert str(catalogue.get("added").title) == "Changed again"


def test_a_lesson_that_is_not_here_is_not_found() -> None:
    with pytest.raises(NotFound):
        Shelf().catalogue().get("none")


def test_an_added_lesson_never_takes_the_place_of_a_packaged_one() -> None:
    shelf = Shelf(lesson("one", "Added"), lesson("two"))
    catalogue = shelf.catalogue(lesson("one", "Packaged"))
    assert [str(one.title) for one in catalogue.lessons()] == ["Packaged", "Word"]
    assert catalogue.packaged_ids == {"one"}


def test_a_lessons_file_with_faults_stops_the_start_with_each_of_them(tmp_path: Path) -> None:
    file = tmp_path / "lessons.yaml"
    file.write_text("id: turtle-garden\ntitle: T\nurl: https://x.example/\nactivities: []\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        from_settings(list, file)
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigurationError):
        from_settings(list, tmp_path / "none.yaml")


def test_a_lessons_file_stands_beside_the_samples(tmp_path: Path) -> None:
    file = tmp_path / "lessons.yaml"
    file.write_text(
        "id: mine\ntitle: T\nsummary: S\nurl: https://x.example/\nactivities: [{id: a, title: A}]\n", encoding="utf-8"
    )
    assert from_settings(list, file).packaged_ids == {"mine", *(one.id for one in samples())}
