"""One LMS a vendor, each with this server and a database of its own, for all its cases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from joserfc import jwt
from lti_server_demo_lms.profiles import PROFILES
from lti_server_demo_lms.world import Person

from lti_server.ids import SystemClock
from lti_server.settings import Settings
from tests.conftest import SECRET, fresh_database
from tests.functional.street import HIDDEN, SLUG, Street, street
from tests.peers.bare_platform import part

WHO = re.compile(r'id="launch-context">(.*?)</script>', re.DOTALL)


@dataclass
class Launching:
    """A browser in the LMS, just before the LMS's answer goes to the tool."""

    browser: requests.Session
    action: str
    state: str
    claims: dict[str, Any]
    street: Street = field(repr=False)

    def send(self, claims: Any, header: dict[str, Any] | None = None) -> requests.Response:
        """Post the launch with these claims, signed by the LMS; what the browser gets is not followed."""
        key = self.street.lms.key
        head = {"alg": "RS256", "kid": key.kid, "typ": "JWT", **(header or {})}
        members = {name: value for name, value in head.items() if value is not None}
        if isinstance(claims, bytes) or "kid" not in members:
            # No library signs what is no JWT: the signature of another token stands in for one.
            other = jwt.encode({"alg": "RS256", "kid": key.kid}, {}, key.current, algorithms=["RS256"])
            token = f"{part(members)}.{part(claims)}.{other.rpartition('.')[2]}"
        else:
            token = jwt.encode(members, claims, key.current, algorithms=["RS256"])
        form = {"id_token": token, "state": self.state}
        return self.browser.post(self.action, data=form, timeout=10, allow_redirects=False)


@dataclass
class Vendor:
    """A vendor's LMS beside this server."""

    street: Street

    def begin(self, person: Person | None = None) -> Launching:
        """Up to the form that the LMS's own page posts."""
        here, course = self.street, self.street.lms.config.world.districts[0].courses[0]
        who = person or here.pupils[0]
        browser = requests.Session()
        browser.post(f"{here.lms_url}/{SLUG}/sign-in", data={"person": who.id}, timeout=10).raise_for_status()
        link = f"{here.lms_url}/{SLUG}/launch/{course.links[0].id}"
        form = browser.get(link, timeout=10)
        action = re.search(r'action="([^"]*/lti/launch)"', form.text)
        assert action, form.text
        fields = {name: unescape(value) for name, value in HIDDEN.findall(form.text)}
        claims = jwt.decode(fields["id_token"], here.lms.key.current, algorithms=["RS256"]).claims
        return Launching(browser, action[1], fields["state"], dict(claims), here)

    @property
    def teacher(self) -> Person:
        return self.street.lms.config.world.districts[0].courses[0].teachers[0]

    def sessions(self) -> list[tuple[str, str, str]]:
        """Role, lesson and activity of each session, oldest first."""
        with self.street.house.database.tenant(self.street.district.id) as connection:
            rows = connection.execute(sa.text("SELECT role, lesson_id, activity_id FROM session ORDER BY created_at"))
            return [(row.role, row.lesson_id, row.activity_id) for row in rows]


@pytest.fixture(scope="session", params=sorted(PROFILES))
def vendor(
    request: pytest.FixtureRequest,
    template: tuple[str, str],
    server_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Vendor]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with fresh_database(template, server_url) as url:
        settings = Settings(database_url=url, data_dir=folder, secret_keys=(SECRET,))
        with street(settings, url, SystemClock(), folder / "lms", PROFILES[request.param]) as here:
            yield Vendor(here)


def context_of(page: requests.Response) -> dict[str, Any]:
    """The launch context of a lesson's page."""
    found = WHO.search(page.text)
    assert found, page.text
    context = json.loads(found[1])
    assert isinstance(context, dict)
    return context
