"""An LMS that is asked for its notices, and whose courses are copied: what the links of the copies open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import sqlalchemy as sa
from lti_server_demo_lms import PROFILES, Answer, Course, ResourceLink
from lti_server_demo_lms.copying import copy_course

from lti_server.lti.tables import deep_link_item
from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import HIDDEN, SLUG, Street, street

LESSON = "message-in-bits"
TYPES = ["LtiContextCopyNotice", "LtiHelloWorldNotice"]


@pytest.fixture(params=["plain", "canvas", "d2l", "moodle"])
def lived(
    request: pytest.FixtureRequest, settings: Settings, database_url: str, clock: FakeClock, data_dir: Path
) -> Iterator[Street]:
    with street(settings, database_url, clock, data_dir, PROFILES[request.param]) as found:
        yield found


def opens(street: Street, course: Course, link: str) -> tuple[str, str]:
    """The lesson and activity that a teacher's launch of a link opens."""
    with requests.Session() as browser:
        browser.post(f"{street.lms_url}/{SLUG}/sign-in", data={"person": course.teachers[0].id}, timeout=10)
        form = browser.get(f"{street.lms_url}/{SLUG}/launch/{link}", timeout=10)
        fields = {name: unescape(value) for name, value in HIDDEN.findall(form.text)}
        page = browser.post(f"{street.tool_url}/lti/launch", data=fields, timeout=10)
    found = re.search(r'id="launch-context">(.*?)</script>', page.text, re.DOTALL)
    assert found, page.text
    said = json.loads(found[1])
    return said["lesson_id"], said.get("activity_id", "")


def work(street: Street, task: str) -> int:
    """Do the jobs of one kind that wait, as a worker does; answers how many there were."""
    with street.house.database.anyone() as connection:
        taken = sa.text("DELETE FROM procrastinate_jobs WHERE task_name = :task RETURNING args")
        jobs: list[dict[str, Any]] = list(connection.execute(taken, {"task": task}).scalars())
    for job in jobs:
        street.house.handlers()[task](**job)
    return len(jobs)


def made_course(street: Street) -> tuple[Course, str]:
    """A course with one activity that the picker made a link of."""
    first = street.lms.roster.district(SLUG).courses[0]  # type: ignore[union-attr]  # there is one
    activity, item = street.house.catalogue.get(LESSON).activities[1].id, uuid4()
    with street.house.database.tenant(street.district.id) as connection:
        grant = connection.execute(sa.text("SELECT id FROM grants")).scalar_one()
        connection.execute(
            deep_link_item.insert().values(
                id=item, district_id=street.district.id, grant_id=grant, lesson_id=LESSON, activity_id=activity,
                kind="ltiResourceLink", created_at=street.house.clock.now(),
            )
        )  # fmt: skip
    link = ResourceLink(
        id="chosen", title="Chosen by hand",
        target=f"{street.tool_url}/lessons/{LESSON}?activity={activity}&item={item}",
        parameters=(("item", str(item)), ("lesson_id", LESSON), ("activity_id", activity)),
    )  # fmt: skip
    course = replace(first, id="items", title="Items", links=(link,))
    street.lms.roster.add(SLUG, course)
    return course, activity


def state(street: Street) -> list[tuple[str, str | None]]:
    with street.house.database.tenant(street.district.id) as connection:
        rows = connection.execute(sa.text("SELECT state, reason FROM notice_handler"))
        return [(row.state, row.reason) for row in rows]


def test_a_deep_linked_item_opens_in_a_copied_course_and_in_a_copy_of_the_copy(lived: Street) -> None:
    course, activity = made_course(lived)
    assert opens(lived, course, "chosen") == (LESSON, activity)
    work(lived, "notices.register")
    district = lived.lms.district(SLUG)
    copied = copy_course(lived.lms, district, course)
    again = copy_course(lived.lms, district, copied)
    work(lived, "notices.handle")
    for one in (again, copied):
        assert opens(lived, one, one.links[0].id) == (LESSON, activity)


def test_the_tool_asks_for_notices_once_and_hears_the_hello(lived: Street) -> None:
    course, _ = made_course(lived)
    opens(lived, course, "chosen")
    offered = lived.lms.config.profile.notices
    assert work(lived, "notices.register") == int(offered)
    handler = (f"{lived.tool_url}/lti/notices", 100)
    assert lived.lms.store.handlers(SLUG) == (dict.fromkeys(TYPES, handler) if offered else {})
    assert work(lived, "notices.handle") == int(offered)
    opens(lived, course, "chosen")
    assert work(lived, "notices.register") == 0
    (registered,) = lived.house.registrations.every(lived.district.id)
    seen = [(one.state, one.taken) for one in lived.house.inspector(registered.id).notices]
    assert seen == ([("registered", 1)] if offered else [])


@pytest.fixture
def canvas(settings: Settings, database_url: str, clock: FakeClock, data_dir: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, data_dir, PROFILES["canvas"]) as found:
        opens(found, found.lms.district(SLUG).courses[0], found.lms.district(SLUG).courses[0].links[0].id)
        yield found


def test_a_removed_platform_keeps_no_address_of_the_tool(canvas: Street) -> None:
    work(canvas, "notices.register")
    (registered,) = canvas.house.registrations.every(canvas.district.id)
    canvas.house.notice_handlers.withdraw(registered.id)
    assert canvas.lms.store.handlers(SLUG) == {}
    assert state(canvas) == []


def test_a_platform_that_refuses_is_named_in_one_sentence_and_asked_again_a_day_later(
    canvas: Street,
) -> None:
    canvas.lms.faults.notices.append(Answer(403))
    work(canvas, "notices.register")
    ((found, reason),) = state(canvas)
    assert found == "failed"
    assert reason is not None
    assert reason.startswith("The LMS does not let this tool ask for notices")
    for days, jobs in ((0, 0), (1, 1)):
        # The LMS has a clock of its own, so the day passes in the row.
        earlier = sa.text("UPDATE notice_handler SET settled_at = settled_at - make_interval(days => :days)")
        with canvas.house.database.tenant(canvas.district.id) as connection:
            connection.execute(earlier, {"days": days})
            canvas.house.notice_handlers.resume(connection, canvas.district.id)
        assert work(canvas, "notices.register") == jobs
    assert state(canvas)[0][0] == "registered"


def test_another_key_of_the_tool_or_another_token_address_of_the_platform_is_said_anew(canvas: Street) -> None:
    work(canvas, "notices.register")
    for change in ("rotate", "UPDATE registration SET auth_token_url = auth_token_url || '?'"):
        with canvas.house.database.tenant(canvas.district.id) as connection:
            canvas.house.notice_handlers.resume(connection, canvas.district.id)
        assert work(canvas, "notices.register") == 0
        if change == "rotate":
            canvas.house.tool_keys.rotate(compromised=True)
        else:
            with canvas.house.database.tenant(canvas.district.id) as connection:
                connection.execute(sa.text(change))
        with canvas.house.database.tenant(canvas.district.id) as connection:
            canvas.house.notice_handlers.resume(connection, canvas.district.id)
        assert work(canvas, "notices.register") == 1, change
