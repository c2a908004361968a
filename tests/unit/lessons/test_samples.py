"""The sample lessons: complete in both languages, and their "fewest" is truly the fewest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, factorial, log2
from pathlib import Path
from typing import Any

import pytest

import lti_server.lessons
from lti_server.lessons.catalogue import samples
from lti_server.lessons.model import Lesson, Player

STATIC = Path(lti_server.lessons.__file__).parent / "static" / "lessons"
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
Program = Sequence[tuple[int, str]]


def player(lesson: Lesson) -> Player:
    assert lesson.player is not None
    return lesson.player


def puzzles(name: str) -> list[Mapping[str, Any]]:
    lesson = next(one for one in samples() if one.id == name)
    return [player(lesson).puzzles[activity.id] for activity in lesson.activities]


def test_there_are_three_lessons_of_several_activities_and_one_takes_nothing_personal() -> None:
    assert [3 <= len(one.activities) <= 5 for one in samples()] == [True] * 3
    assert [one.id for one in samples() if one.no_pii] == ["parcel-scales"]


def test_written_answers_are_asked_for_once_and_not_where_nothing_personal_is_taken() -> None:
    asking = [(one.id, activity.id) for one in samples() for activity in one.activities if activity.written_answer]
    assert asking == [("turtle-garden", "round-the-hedge")]


@pytest.mark.parametrize("lesson", samples(), ids=lambda lesson: lesson.id)
def test_every_text_is_there_in_english_and_french(lesson: Lesson) -> None:
    texts = [lesson.title, lesson.summary, *player(lesson).words.values()]
    for activity in lesson.activities:
        assert activity.goal is not None
        texts += [activity.title, activity.goal]
    for text in texts:
        assert set(text.by_language) == {"en", "fr"}
        named = [set(re.findall(r"\{\w+\}", one)) for one in text.by_language.values()]
        assert named[0] == named[1], text


@pytest.mark.parametrize("lesson", samples(), ids=lambda lesson: lesson.id)
def test_every_word_that_a_script_says_is_there(lesson: Lesson) -> None:
    script = (STATIC / f"{player(lesson).module}.js").read_text(encoding="utf-8")
    said = set(re.findall(r"\bwords\.(\w+)", script))
    assert said <= set(player(lesson).words)


def test_no_script_stores_anything_in_the_browser() -> None:
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie|innerHTML|\beval\(", text), path


def reaches_all(rows: Sequence[str], program: Program) -> bool:
    """Whether a program of (times, commands) finds every flower: the rules of the garden, told a second time."""
    signs = {(column, row): sign for row, line in enumerate(rows) for column, sign in enumerate(line)}
    place = next(place for place, sign in signs.items() if sign == "S")
    flowers = {place for place, sign in signs.items() if sign == "F"}
    heading = 0
    for command in "".join(commands * times for times, commands in program):
        if command == "F":
            place = (place[0] + STEPS[heading][0], place[1] + STEPS[heading][1])
            if signs.get(place, "#") == "#":
                return False
            flowers.discard(place)
        else:
            heading = (heading + (1 if command == "R" else 3)) % 4
    return not flowers


def programs(blocks: int, *, repeats: bool) -> Iterator[Program]:
    """Every program of so many blocks."""
    if blocks == 0:
        yield ()
        return
    for command in "FLR":
        for rest in programs(blocks - 1, repeats=repeats):
            yield ((1, command), *rest)
    for size in range(1, blocks if repeats else 0):
        for commands in itertools.product("FLR", repeat=size):
            for times in range(2, 7):
                for rest in programs(blocks - 1 - size, repeats=repeats):
                    yield ((times, "".join(commands)), *rest)


@pytest.mark.parametrize("puzzle", puzzles("turtle-garden"), ids=lambda puzzle: "/".join(puzzle["rows"]))
def test_no_program_with_fewer_blocks_finds_every_flower(puzzle: Mapping[str, Any]) -> None:
    repeats = "repeat" in puzzle["blocks"]
    solved = {
        blocks: any(reaches_all(puzzle["rows"], one) for one in programs(blocks, repeats=repeats))
        for blocks in range(1, puzzle["fewest"] + 1)
    }
    assert [blocks for blocks, found in solved.items() if found] == [puzzle["fewest"]]


@pytest.mark.parametrize("puzzle", puzzles("parcel-scales"), ids=lambda puzzle: f"{puzzle['task']}-{puzzle['parcels']}")
def test_the_number_of_weighings_is_the_least_that_is_always_enough(puzzle: Mapping[str, Any]) -> None:
    count = puzzle["parcels"]
    # n - 1 comparisons for a maximum; for up to eleven in order the bound of information is reached (Knuth, vol. 3).
    least = count - 1 if puzzle["task"] == "heaviest" else ceil(log2(factorial(count)))
    assert puzzle["fewest"] == least


def test_the_biggest_number_of_three_lamps_is_what_is_asked_for() -> None:
    puzzle = next(one for one in puzzles("message-in-bits") if one.get("secret"))
    assert puzzle["target"] == [max(number for number in range(2 ** puzzle["lamps"]) if number.bit_count() == 3)]


def test_every_word_of_lamps_has_as_many_letters_as_it_starts_with() -> None:
    for puzzle in puzzles("message-in-bits"):
        for language, word in puzzle.get("word", {}).items():
            before = puzzle["first"][language] if "first" in puzzle else puzzle["start"]
            assert len(word) == len(before)
            assert set(word) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
