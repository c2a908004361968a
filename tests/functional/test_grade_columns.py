"""Columns of the gradebook: found or made once, declared by a lesson, adopted in a copied course, made again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from lti_server import cli
from lti_server.cli import platform as platform_commands
from lti_server.lessons.model import GradebookColumn, Text
from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import LESSON, SLUG, Street, street

BONUS = Text(by_language={"en": "Bits, with a bonus", "fr": "Bits, avec un bonus"})


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        yield found


def bonus(on: Street) -> GradebookColumn:
    """The first activity is asked for, the second is extra credit; ten points."""
    names = [one.id for one in on.house.catalogue.get(LESSON).activities]
    return GradebookColumn(
        id="bonus", title=BONUS, activities=(names[0], names[1]), extra_credit=(names[1],), score_maximum=10
    )


def run(on: Street, statement: str, **values: Any) -> None:
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(sa.text(statement), values)


def scores_in(on: Street, label: str, course_number: int = 0) -> list[Any]:
    return [one.get("scoreGiven") for one in on.lms.store.scores(on.line_items(course_number)[label][0]).values()]


def test_a_declared_column_stands_beside_the_lessons_own_with_extra_credit(on: Street) -> None:
    on.declare(bonus(on))
    token = on.token()
    on.save(token, 0)
    on.save(token, 1)
    assert on.deliver_all() == {"delivered"}
    assert on.line_items()[str(BONUS)][1]["scoreMaximum"] == 10
    assert scores_in(on, str(BONUS)) == [20]  # twice what is asked for: only because the column says so
    assert scores_in(on, str(on.house.catalogue.get(LESSON).title)) == [pytest.approx(on.grade_of(2), abs=0.01)]


def test_a_declared_column_that_nobody_touched_is_not_there(on: Street) -> None:
    on.declare(bonus(on))
    on.save(on.token(), 3)
    assert on.deliver_all() == {"delivered"}
    assert on.columns() == 1


def test_a_column_that_is_not_declared_any_more_gets_nothing_and_loses_nothing(on: Street, clock: FakeClock) -> None:
    on.declare(bonus(on))
    token = on.token()
    on.save(token, 0)
    on.deliver_all()
    on.declare()
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver_all() == {"delivered"}
    assert scores_in(on, str(BONUS)) == [10]


def test_a_column_that_no_lesson_has_any_more_can_be_taken_out_of_the_gradebook(
    on: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_commands, "open_house", lambda: on.house)
    (registered,) = on.house.registrations.every(on.district.id)

    def columns(*more: str) -> list[dict[str, Any]]:
        answer = CliRunner().invoke(cli.commands, ["platform", "columns", str(registered.id), *more, "--json"])
        assert answer.exit_code == 0, answer.output
        found: list[dict[str, Any]] = json.loads(answer.stdout)["columns"]
        return found

    on.declare(bonus(on))
    on.save(on.token(), 0)
    on.deliver_all()
    both = list(on.line_items())
    assert columns("--remove") == []
    on.declare()
    (unused,) = columns()
    assert (unused["lesson_id"], unused["key"], unused["label"]) == (LESSON, "column:bonus", str(BONUS))
    assert list(on.line_items()) == both
    assert [one["removed"] for one in columns("--remove")] == [True]
    assert list(on.line_items()) == [str(on.house.catalogue.get(LESSON).title)]
    assert columns("--remove") == []


def test_no_column_is_declared_to_an_lms_that_lets_this_tool_make_none(on: Street) -> None:
    on.declare(bonus(on))
    token = on.token()
    run(on, "UPDATE resource_link SET ags_scopes = array_remove(ags_scopes, :scope), lineitem_url = lineitems_url",
        scope="https://purl.imsglobal.org/spec/lti-ags/scope/lineitem")  # fmt: skip
    on.save(token, 0)
    assert len(on.deliveries()) == 1


def test_a_column_is_called_as_its_lesson_is_and_keeps_what_this_tool_does_not_know(
    on: Street, clock: FakeClock
) -> None:
    token = on.token()
    on.save(token)
    on.deliver()
    ((item, body),) = on.line_items().values()
    on.lms.store.put_line_item(item, {**body, "tag": "kept", "startDateTime": "2026-09-01T08:00:00Z"})
    on.declare(title=Text(by_language={"en": "Bits and pieces"}))
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "delivered"
    _, changed = on.line_items()["Bits and pieces"]
    assert (changed["tag"], changed["startDateTime"]) == ("kept", "2026-09-01T08:00:00Z")
    assert changed["resourceId"] == body["resourceId"]


def test_a_name_that_a_teacher_gave_is_left(on: Street, clock: FakeClock) -> None:
    token = on.token()
    on.save(token)
    on.deliver()
    ((item, body),) = on.line_items().values()
    on.lms.store.put_line_item(item, {**body, "label": "Friday's puzzles"})
    on.declare(title=Text(by_language={"en": "Bits and pieces"}))
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "delivered"
    assert set(on.line_items()) == {"Friday's puzzles"}


def test_a_column_that_was_made_again_has_everybodys_grades(on: Street, clock: FakeClock) -> None:
    tokens = [on.token(pupil) for pupil in range(3)]
    for token in tokens:
        on.save(token)
    assert on.deliver_all() == {"delivered"}
    ((item, _),) = on.line_items().values()
    on.lms.store.drop_line_item(item)
    clock.pass_s(2)
    on.save(tokens[0], 1)
    on.deliver_all()
    clock.pass_s(2)
    assert on.deliver_all() == {"delivered"}
    assert on.columns() == 1
    assert len(on.standing()) == 3


def test_a_person_whom_the_lms_does_not_know_makes_no_second_column(on: Street, clock: FakeClock) -> None:
    token = on.token()
    on.save(token)
    on.deliver()
    course = on.lms.config.world.districts[0].courses[0]
    on.lms.roster.leave(SLUG, course.id, on.pupils[0].id, "Deleted")
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "parked"
    assert on.columns() == 1


def play_in_a_copy(on: Street, resource_id: str, *, bound: bool) -> None:
    """The second course as a copy of the first: its column came along, and one that is somebody else's."""
    origin, copy = on.lms.config.world.districts[0].courses
    link = f"{copy.id}-{LESSON}"
    binding = {"resourceLinkId": link} if bound else {}
    on.lms.store.add_line_item(SLUG, copy.id, {"label": "Copied", "scoreMaximum": 50, "resourceId": resource_id,
                                               **binding})  # fmt: skip
    on.lms.store.add_line_item(SLUG, copy.id, {"label": "Other", "scoreMaximum": 5, "resourceLinkId": link})
    on.lms.store.add_line_item(SLUG, copy.id, {"label": "Third", "scoreMaximum": 5, "resourceLinkId": link})
    token = on.token(20, course_number=0)  # in both courses
    assert token
    copied = on.token(20, course_number=1)
    run(on, "UPDATE resource_link SET copied_from_id = (SELECT id FROM resource_link WHERE resource_link_id = :origin)"
        " WHERE resource_link_id = :link", origin=f"{origin.id}-{LESSON}", link=link)  # fmt: skip
    on.save(copied, 0)


@pytest.mark.parametrize("bound", [True, False])
def test_a_copied_column_is_adopted_and_no_pupils_score_travels(on: Street, bound: bool) -> None:
    on.save(on.token())
    assert on.deliver() == "delivered"
    ((item, body),) = on.line_items().values()
    play_in_a_copy(on, body["resourceId"], bound=bound)
    assert on.deliver_all() == {"delivered"}
    assert set(on.line_items(1)) == {"Copied", "Other", "Third"}
    assert len(scores_in(on, "Copied", 1)) == 1
    assert [one["userId"] for one in on.lms.store.scores(item).values()] == [on.pupils[0].id]


def test_the_origins_column_is_never_written_to_from_the_copy(on: Street, clock: FakeClock) -> None:
    on.save(on.token())
    on.deliver()
    on.token()  # the launch names its column now
    clock.pass_s(2)
    ((item, _),) = on.line_items().values()
    token = on.token(20, course_number=1)
    origin, copy = (f"{course.id}-{LESSON}" for course in on.lms.config.world.districts[0].courses)
    run(on, "UPDATE resource_link SET lineitem_url = (SELECT lineitem_url FROM resource_link"
        " WHERE resource_link_id = :origin) WHERE resource_link_id = :copy", origin=origin, copy=copy)  # fmt: skip
    on.save(token)
    assert on.deliver_all() == {"delivered"}
    assert len(on.standing(1)) == 1
    assert len(on.lms.store.scores(item)) == 1


def test_a_link_that_moved_to_another_course_leaves_the_column_of_the_first(on: Street, clock: FakeClock) -> None:
    token = on.token(20)
    on.save(token)
    on.deliver()
    run(on, "UPDATE resource_link SET lineitems_url = replace(lineitems_url, 'nv-math-5', 'nv-code-6'),"
        " lineitem_url = NULL, resource_link_id = :link", link=f"nv-code-6-{LESSON}")  # fmt: skip
    clock.pass_s(2)
    on.save(token, 1)
    assert on.deliver() == "delivered"
    assert [one["scoreGiven"] for one in on.standing(0)] == [pytest.approx(on.grade_of(1), abs=0.01)]
    assert [one["scoreGiven"] for one in on.standing(1)] == [pytest.approx(on.grade_of(2), abs=0.01)]


def test_two_workers_make_each_column_once(on: Street) -> None:
    on.declare(bonus(on))
    for pupil in range(3):
        on.save(on.token(pupil))
    jobs = [
        threading.Thread(target=on.house.handlers()["grades.deliver"], args=(str(on.district.id), str(row.id)))
        for row in on.deliveries()
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert on.columns() == 2
    assert len(on.standing()) == 6


def test_a_score_says_how_much_is_done_and_when_and_nothing_of_the_pupils_own(on: Street) -> None:
    token = on.token()
    on.save(token, 0, work={"moves": "my secret words"})
    on.deliver()
    (score,) = on.standing()
    of = len(on.house.catalogue.get(LESSON).activities)
    assert score["comment"] == f"1 of {of} activities done"
    assert set(score["submission"]) == {"startedAt", "submittedAt"}
    assert "secret" not in str(score)
