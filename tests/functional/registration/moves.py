"""What an administrator does in the LMS, and what came of it."""

from __future__ import annotations

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.lti.registrations import Registered
from lti_server.privacy.districts import District
from tests.peers.registering_platform import RegisteringPlatform

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def opens(client: FlaskClient, invitation: str, lms: RegisteringPlatform) -> TestResponse:
    return client.get("/lti/register", query_string={"invitation": invitation, **lms.link})


def sends(client: FlaskClient, invitation: str, lms: RegisteringPlatform) -> TestResponse:
    """The button, pressed in a browser that keeps no cookie at all."""
    page = opens(client, invitation, lms)
    assert page.status_code == 200, page.text
    fields = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
    return client.application.test_client(use_cookies=False).post("/lti/register", data=fields)


def platforms(house: House, district: District) -> list[Registered]:
    return house.registrations.every(district.id)


def only(house: House, district: District) -> Registered:
    (found,) = platforms(house, district)
    return found
