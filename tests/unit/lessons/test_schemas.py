"""The lesson file: taken whole, or refused whole with every fault in its place."""

from __future__ import annotations

import json

import pytest

from lti_server.errors import InvalidInput
from lti_server.lessons import schemas
from lti_server.lessons.model import Lesson

ONE = """
id: read-the-lamps
title: {en: Read the lamps, fr: Lire les lampes}
summary: Which number do they show?
url: https://lesson.example/play?level=1
activities:
  - id: read-five
    title: Read five
"""


def read(text: str, **options: list[str]) -> list[Lesson]:
    return schemas.read_file(text.encode(), **options)


def faults(text: str | bytes, **options: list[str]) -> dict[str, str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidInput) as caught:
        schemas.read_file(content, **options)
    listed = caught.value.public["errors"]
    assert isinstance(listed, list)
    return {one["pointer"]: one["message"] for one in listed}


def changed(**members: object) -> str:
    """The lesson with members replaced, or left out where None."""
    lesson = {
        "id": "read-the-lamps",
        "title": "Read the lamps",
        "summary": "Which number do they show?",
        "url": "https://lesson.example/play",
        "activities": [{"id": "read-five", "title": "Read five"}],
    }
    return json.dumps({name: value for name, value in (lesson | members).items() if value is not None})


def test_a_file_may_be_one_lesson_or_a_list_of_them() -> None:
    (alone,) = read(ONE)
    listed = read(
        "lessons:\n" + "".join(f"  {line}\n" for line in ("- " + ONE.strip().replace("\n", "\n  ")).split("\n"))
    )
    assert [alone] == listed
    assert alone.title.within("fr-CA") == "Lire les lampes"
    assert alone.summary.within("fr") == "Which number do they show?"


def test_every_fault_of_every_lesson_is_named_at_once() -> None:
    first, second = changed(id="Has Space", url="ftp://x", colour="red"), changed(title=None, activities=[])
    text = f'{{"lessons": [{first}, {second}]}}'
    assert set(faults(text)) == {
        "/lessons/0/id",
        "/lessons/0/url",
        "/lessons/0/colour",
        "/lessons/1/title",
        "/lessons/1/activities",
    }


def test_no_fault_repeats_a_value_of_the_file() -> None:
    said = " ".join(faults(changed(id="SECRET VALUE", url="gopher://secret", title={"de": "SECRET"})).values())
    assert "secret" not in said.lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://lesson.example/play",
        "javascript:alert(1)",
        "//lesson.example/play",
        "https://",
        "https://user:word@lesson.example/",
        "https://lesson.example/#there",
        "https://lesson.example/#",
        "https://lesson.example/a b",
        "https://lesson.example\\@evil.example/",
        "https://lesson.example:port/",
        "https://[::1/",
        7,
    ],
)
def test_an_address_that_a_pupil_must_not_be_sent_to_is_refused(url: object) -> None:
    assert set(faults(changed(url=url))) == {"/url"}


def test_plain_http_is_taken_for_a_host_that_the_operator_named() -> None:
    text = changed(url="http://127.0.0.1:9000/play")
    assert read(text, https_only_except=["127.0.0.1:9000"])[0].origin == "http://127.0.0.1:9000"
    assert faults(text, https_only_except=["127.0.0.1:9001"]) == {"/url": "must be https."}


def test_a_lesson_without_personal_data_asks_for_no_words() -> None:
    activities = [{"id": "a", "title": "A"}, {"id": "b", "title": "B", "written_answer": True}]
    assert set(faults(changed(no_pii=True, activities=activities))) == {"/activities/1/written_answer"}
    assert read(changed(no_pii=False, activities=activities))[0].activities[1].written_answer


def test_an_activity_is_there_once() -> None:
    twice = [{"id": "a", "title": "A"}, {"id": "a", "title": "B"}]
    assert set(faults(changed(activities=twice))) == {"/activities/1/id"}


def test_an_id_that_is_taken_is_refused_also_inside_one_file() -> None:
    assert set(faults(changed(), taken=["read-the-lamps"])) == {"/id"}
    assert set(faults(f'{{"lessons": [{changed()}, {changed()}]}}')) == {"/lessons/1/id"}


@pytest.mark.parametrize("truth", ["yes", 1, 0, "true"])
def test_a_flag_is_true_or_false_and_nothing_like_it(truth: object) -> None:
    assert set(faults(changed(no_pii=truth))) == {"/no_pii"}


@pytest.mark.parametrize(
    ("title", "pointer"),
    [
        ({"fr": "Lampes"}, "/title/en"),
        ({"en": "Lamps", "de": "Lampen"}, "/title/de"),
        ({"en": ""}, "/title/en"),
        ("x" * 121, "/title/en"),
        (["Lamps"], "/title"),
        ({"en": 7}, "/title/en"),
    ],
)
def test_a_text_has_an_english_form_and_fits(title: object, pointer: str) -> None:
    assert set(faults(changed(title=title))) == {pointer}


@pytest.mark.parametrize("hosts", [["https://x.example"], ["X.example"], ["x..example"], [""], "x.example", [7]])
def test_a_host_is_a_host_name(hosts: object) -> None:
    assert all(pointer.startswith("/hosts") for pointer in faults(changed(hosts=hosts)))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"id: [",
        b"id: a\nid: b",
        b"a: &a [x]\nb: *a",
        b"!!python/object/apply:os.system [ls]",
        b"",
        b"- 1",
        b"lessons: []",
        b"lessons: {}",
        b"x" * (schemas.FILE_BYTES + 1),
        b"lessons:\n- id: a\nother: 1",
        b"? [a, b]\n: c",
        b"1: 2",
    ],
)
def test_what_is_no_lesson_file_is_refused_in_words(content: bytes) -> None:
    told = faults(content)
    assert told
    assert all(message for message in told.values())


def test_a_byte_order_mark_does_no_harm() -> None:
    assert schemas.read_file(b"\xef\xbb\xbf" + ONE.encode())[0].id == "read-the-lamps"


def test_a_lesson_is_the_same_after_the_store() -> None:
    text = changed(
        hosts=["media.example"], activities=[{"id": "a", "title": "A", "goal": "Go", "written_answer": True}]
    )
    (lesson,) = read(text)
    assert schemas.from_document(json.loads(json.dumps(schemas.document(lesson)))) == lesson


TWO = [{"id": "one", "title": "One"}, {"id": "two", "title": "Two"}]
COLUMN = {"id": "reading", "title": "Reading", "activities": ["one"]}


def test_a_declared_column_is_read_kept_and_read_again() -> None:
    column = {**COLUMN, "activities": ["one", "two"], "extra_credit": ["two"], "score_maximum": 10}
    (lesson,) = read(changed(activities=TWO, columns=[column, {**COLUMN, "id": "plain"}]))
    first, second = lesson.columns
    assert (first.activities, first.extra_credit, first.score_maximum) == (("one", "two"), ("two",), 10)
    assert (second.extra_credit, second.score_maximum) == ((), 100)
    assert schemas.from_document(json.loads(json.dumps(schemas.document(lesson)))) == lesson


@pytest.mark.parametrize(
    ("column", "pointer"),
    [
        ({**COLUMN, "activities": []}, "activities"),
        ({**COLUMN, "activities": ["nowhere"]}, "activities/0"),
        ({**COLUMN, "activities": ["one", "one"]}, "activities/1"),
        ({**COLUMN, "activities": ["one", "two"], "extra_credit": ["one", "two"]}, "extra_credit"),
        ({**COLUMN, "extra_credit": ["two"], "activities": ["one"]}, "extra_credit/0"),
        ({**COLUMN, "score_maximum": 0}, "score_maximum"),
        ({**COLUMN, "score_maximum": True}, "score_maximum"),
        ({**COLUMN, "score_maximum": "10"}, "score_maximum"),
        ({**COLUMN, "score_maximum": float("inf")}, "score_maximum"),
        ({**COLUMN, "weight": 1}, "weight"),
        ({"id": "reading", "activities": ["one"]}, "title"),
    ],
)
def test_each_fault_of_a_column_is_named_in_its_place(column: dict[str, object], pointer: str) -> None:
    found = faults(changed(activities=TWO, columns=[column]).replace("Infinity", ".inf"))
    assert set(found) == {f"/columns/0/{pointer}"}


def test_two_columns_of_one_id_are_a_fault() -> None:
    assert set(faults(changed(activities=TWO, columns=[COLUMN, COLUMN]))) == {"/columns/1/id"}
