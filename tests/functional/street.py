"""The whole street on loopback: the demo LMS, this server on a port of its own, and pupils' browsers."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import sqlalchemy as sa
from lti_server_demo_lms.app import create_app as create_lms
from lti_server_demo_lms.app import registration
from lti_server_demo_lms.parts import DemoLmsConfig, Parts
from lti_server_demo_lms.profiles import PLAIN, Profile
from lti_server_demo_lms.serving import listen, running
from lti_server_demo_lms.world import Person, sample_world

from lti_server.app import House, build_house, create_app
from lti_server.ids import Clock
from lti_server.lessons.model import GradebookColumn, Text
from lti_server.lti.registrations import Platform
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world

SLUG, LESSON = "north-valley", "message-in-bits"
NAMES = ("issuer", "client_id", "auth_login_url", "auth_token_url", "jwks_url")
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Street:
    """What a test drives."""

    house: House
    district: District
    lms: Parts
    lms_url: str
    tool_url: str

    @property
    def pupils(self) -> list[Person]:
        return list(self.lms.config.world.districts[0].courses[0].pupils)

    def token(self, pupil: int = 0, course_number: int = 0) -> str:
        """A pupil's whole way from the course to the lesson's token."""
        course = self.lms.config.world.districts[0].courses[course_number]
        with requests.Session() as browser:
            browser.post(
                f"{self.lms_url}/{SLUG}/sign-in", data={"person": self.pupils[pupil].id}, timeout=10
            ).raise_for_status()
            link = next(one.id for one in course.links if one.lesson_id == LESSON)
            form = browser.get(f"{self.lms_url}/{SLUG}/launch/{link}", timeout=10)
            action = re.search(r'action="([^"]*/lti/launch)"', form.text)
            assert action, form.text
            fields = {name: unescape(value) for name, value in HIDDEN.findall(form.text)}
            page = browser.post(action[1], data=fields, timeout=10)
        found = re.search(r'id="launch-context">(.*?)</script>', page.text, re.DOTALL)
        assert found, page.text
        token = json.loads(found[1])["token"]
        assert isinstance(token, str)
        return token

    def save(self, token: str, activity: int = 0, *, lesson: str = LESSON, **changes: Any) -> dict[str, Any]:
        """One attempt, posted as a lesson posts it."""
        played = self.house.catalogue.get(lesson)
        body = {
            "attempt_id": str(uuid4()),
            "activity_id": played.activities[activity].id,
            "score": 1,
            "completed": True,
            "occurred_at": self.house.clock.now().isoformat(),
            **changes,
        }
        answer = requests.post(
            f"{self.tool_url}/api/v1/progress", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        answer.raise_for_status()
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def grade_of(self, count: int) -> float:
        """The score of a pupil who solved so many activities."""
        return 100 * count / len(self.house.catalogue.get(LESSON).activities)

    def deliveries(self) -> list[sa.Row[Any]]:
        with self.house.database.tenant(self.district.id) as connection:
            return list(connection.execute(sa.text("SELECT * FROM grade_delivery ORDER BY queued_at")))

    def deliver(self) -> str:
        """Run the one delivery's job once, as a worker does; answers with its state."""
        for row in self.deliveries():
            self.house.handlers()["grades.deliver"](str(self.district.id), str(row.id))
        (found,) = self.deliveries()
        return str(found.state)

    def deliver_all(self) -> set[str]:
        """Run the job of each delivery once; answers with the states."""
        for row in self.deliveries():
            self.house.handlers()["grades.deliver"](str(self.district.id), str(row.id))
        return {str(row.state) for row in self.deliveries()}

    def line_items(self, course_number: int = 0) -> dict[str, tuple[int, dict[str, Any]]]:
        """The columns of a course by their labels: number and body."""
        course = self.lms.config.world.districts[0].courses[course_number]
        return {str(body["label"]): (item, body) for item, body in self.lms.store.line_items(SLUG, course.id)}

    def declare(self, *columns: GradebookColumn, title: Text | None = None) -> None:
        """Let the lesson have these further columns, or another title."""
        known = self.house.catalogue._packaged
        lesson = known[LESSON]
        known[LESSON] = dataclasses.replace(lesson, columns=columns, title=title or lesson.title)

    def standing(self, course_number: int = 0) -> list[dict[str, Any]]:
        """The scores in the gradebook."""
        course = self.lms.config.world.districts[0].courses[course_number]
        items = self.lms.store.line_items(SLUG, course.id)
        return [score for item, _ in items for score in self.lms.store.scores(item).values()]

    def columns(self) -> int:
        course = self.lms.config.world.districts[0].courses[0]
        return len(self.lms.store.line_items(SLUG, course.id))


@contextmanager
def street(
    settings: Settings,
    database_url: str,
    clock: Clock,
    data_dir: Path,
    profile: Profile = PLAIN,
    lms_name: str = "127.0.0.1",
) -> Iterator[Street]:
    """The LMS, as one vendor's, and the server, both serving until the block ends.

    With `lms_name="localhost"` they are two sites to a browser.
    """
    lms_socket, tool_socket = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    lms_host, tool_host = f"{lms_name}:{lms_socket.getsockname()[1]}", f"127.0.0.1:{tool_socket.getsockname()[1]}"
    lms = create_lms(
        DemoLmsConfig(
            base_url=f"http://{lms_host}",
            tool_url=f"http://{tool_host}",
            data_dir=data_dir,
            world=sample_world(),
            profile=profile,
        )
    )
    hosts = settings.insecure_hosts | {lms_host}
    own = dataclasses.replace(settings, base_url=f"http://{tool_host}", insecure_hosts=hosts)
    house = build_house(own, database_url, clock)
    made = world.district(house)
    described = registration(lms, SLUG)
    house.registrations.add(
        made.id,
        Platform(
            **{name: described[name] for name in NAMES},
            token_audience=None,  # what a vendor wants is known once its LMS is
            shared_id=True,
            deployment_ids=(described["deployment_id"],),
        ),
    )
    with running(lms, lms_socket), running(create_app(house), tool_socket):
        yield Street(house, made, lms.extensions["demo_lms"], f"http://{lms_host}", f"http://{tool_host}")
    house.database.dispose()
