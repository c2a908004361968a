"""The whole server on a loopback port, with a district under contract and an LMS that launches into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask

from lti_server.app import House, build_house, create_app
from lti_server.lessons import catalogue
from lti_server.settings import Settings
from tests import world
from tests.browser.lesson_site import serving
from tests.peers.bare_platform import Platform

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LESSON = """
id: read-the-lamps
title: Read the lamps
summary: Which number do they show?
url: {url}
activities: [{{id: read-five, title: Read five}}]
"""


@dataclass(frozen=True)
class RealServer:
    url: str
    house: House
    app: Flask
    platform: Platform

    def launch(self, lesson_id: str, **claims: Any) -> str:
        """Where a launch of this lesson leads the browser, ticket included."""
        client = self.app.test_client()
        target = f"{self.url}/lessons/{lesson_id}"
        begun = world.begin(client, self.platform, target_link_uri=target)
        wanted = {"lti_target_link_uri": target, "lti_custom": {}, **claims}
        said = self.platform.claims(begun.nonce, self.house.clock.now(), **wanted)
        answer = client.post("/lti/launch", data={"id_token": self.platform.sign(said), "state": begun.state})
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def add_lesson(self, url: str) -> None:
        """A lesson on another site, as `lesson add` takes it."""
        with self.house.database.anyone() as connection:
            content = LESSON.format(url=url).encode()
            allowed = self.house.settings.insecure_hosts
            catalogue.add(connection, content, self.house.clock.now(), taken=[], https_only_except=allowed)


@contextmanager
def real_server(
    database_url: str, folder: Path, secret: str, platform: Platform, site: str, *peers: str
) -> Iterator[RealServer]:
    """A server whose district allows the lesson site at `site` ("http://127.0.0.1:port") as a subprocessor."""
    made: list[Flask] = []

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        # The address must be known before the application is made; nobody asks in between.
        return made[0](environ, start)

    with serving(answer) as url:
        hosts = frozenset(one.removeprefix("http://") for one in (platform.address, site, *peers))
        settings = Settings(
            database_url=database_url, data_dir=folder, secret_keys=(secret,), base_url=url, insecure_hosts=hosts
        )
        house = build_house(settings, database_url)
        terms = world.contract(house, more="subprocessors: [{name: Lesson site, hosts: [127.0.0.1]}]")
        world.register(house, world.district(house, terms=terms), platform)
        made.append(create_app(house))
        yield RealServer(url, house, made[0], platform)
    house.database.dispose()
