"""A teacher who chooses lessons for a course, as an LMS and a browser do it together."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import MEMBERSHIP, Platform

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
RETURN = "https://lms.example/deep-link/return?course=7"
EVERYTHING = ["link", "file", "html", "ltiResourceLink", "image"]
JSON = {"Accept": "application/problem+json"}
MADE_FIELD = re.compile(r'name="JWT" value="([^"]+)"')


def settings(**changes: Any) -> dict[str, Any]:
    """What a platform asks for; None takes a member away."""
    asked = {
        "deep_link_return_url": RETURN,
        "accept_types": EVERYTHING,
        "accept_presentation_document_targets": ["iframe", "window", "embed"],
        "accept_multiple": True,
        "accept_lineitem": True,
        "data": "csrf:op4que",
        **changes,
    }
    return {name: value for name, value in asked.items() if value is not None}


def ask(client: FlaskClient, platform: Platform, house: House, asked: Any = None, **changes: Any) -> TestResponse:
    """A deep linking request as the LMS's page sends it, by a teacher unless said otherwise."""
    return world.launch(
        client,
        platform,
        house,
        **{
            "lti_message_type": "LtiDeepLinkingRequest",
            "lti_resource_link": None,
            "lti_target_link_uri": None,
            "lti_custom": None,
            "lti_roles": [MEMBERSHIP + "Instructor"],
            DL + "deep_linking_settings": settings() if asked is None else asked,
            **changes,
        },
    )


def opened(client: FlaskClient, platform: Platform, house: House, **changes: Any) -> str:
    """The token of a picker that a teacher opened."""
    answer = ask(client, platform, house, settings(**changes))
    assert answer.status_code == 303, answer.text
    return parse_qs(urlsplit(answer.location).query)["request"][0]


def choose(client: FlaskClient, token: str, *picks: str, **fields: Any) -> TestResponse:
    form = {"request": token, "do": "choose", "pick": list(picks), "kind": "ltiResourceLink", **fields}
    return client.post("/lti/choose", data=form)


def answered(page: TestResponse, house: House) -> dict[str, Any]:
    """The claims of the answer, its signature checked with the published keys."""
    assert page.status_code == 200, page.text
    found = MADE_FIELD.search(page.text)
    assert found, page.text
    keys = KeySet([RSAKey.import_key(one) for one in house.tool_keys.public_jwks()["keys"]])
    return dict(jwt.decode(unescape(found[1]), keys, algorithms=["RS256"]).claims)


def items(page: TestResponse, house: House) -> list[dict[str, Any]]:
    found = answered(page, house)[DL + "content_items"]
    assert isinstance(found, list)
    return found


def lesson_of(house: House, district: District) -> tuple[str, str]:
    last = sa.text("SELECT lesson_id, activity_id FROM session ORDER BY created_at DESC LIMIT 1")
    with house.database.tenant(district.id) as connection:
        row = connection.execute(last).one()
    return row.lesson_id, row.activity_id
