"""Lessons added by file, kept in PostgreSQL under the application's own role."""

from __future__ import annotations

import pytest

from lti_server.app import House
from lti_server.errors import InvalidInput
from lti_server.lessons import catalogue
from lti_server.lessons.model import Lesson

FILE = """
lessons:
  - id: read-the-lamps
    title: {en: Read the lamps, fr: Lire les lampes}
    summary: Which number do they show?
    url: https://lesson.example/play
    hosts: [media.example]
    no_pii: true
    activities: [{id: read-five, title: Read five, goal: Say it.}]
  - id: more
    title: More
    summary: More of it.
    url: https://lesson.example/more
    activities: [{id: a, title: A, written_answer: true}]
"""


def add(house: House, text: str) -> list[Lesson]:
    with house.database.anyone() as connection:
        return catalogue.add(connection, text.encode(), house.clock.now(), taken=house.catalogue.packaged_ids)


def test_a_lesson_comes_back_as_it_was_added(house: House) -> None:
    added = add(house, FILE)
    assert [house.catalogue.get(one.id) for one in added] == added
    assert [one.id for one in house.catalogue.lessons()][-2:] == ["more", "read-the-lamps"]


def test_of_a_file_with_a_fault_nothing_is_kept(house: House) -> None:
    with pytest.raises(InvalidInput):
        add(house, FILE.replace("id: more", "id: turtle-garden"))
    assert house.catalogue.find("read-the-lamps") is None


def test_adding_a_lesson_again_replaces_it(house: House) -> None:
    add(house, FILE)
    add(house, FILE)
    add(house, FILE.replace("title: More", "title: Still more"))
    titles = [str(one.title) for one in house.catalogue.lessons() if one.id == "more"]
    assert titles == ["Still more"]
