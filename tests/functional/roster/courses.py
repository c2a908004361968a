"""Launches into the course whose members are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from lti_server.app import House
from tests import world
from tests.peers.bare_platform import MEMBERSHIP
from tests.peers.member_list import MemberList

SERVICE = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
Ask = Callable[..., dict[str, Any]]


def launch(app: Flask, school: MemberList, house: House, who: str, role: str, **said: object) -> None:
    service = {"context_memberships_url": school.url("course-1"), "service_versions": ["2.0"]}
    more = {"sub": who, "lti_roles": [MEMBERSHIP + role], SERVICE: service, **said}
    answer = world.launch(app.test_client(), school, house, **more)
    assert answer.status_code == 303, answer.text
