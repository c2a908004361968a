"""A platform that sends notices."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy.districts import District
from tests.peers.bare_platform import LTI, Platform

HELLO, COPY = "LtiHelloWorldNotice", "LtiContextCopyNotice"


def claims(platform: Platform, house: House, kind: str = HELLO, /, **changes: Any) -> dict[str, Any]:
    """What a good notice says: no person, no nonce; `changes` as for a launch."""
    told = {"id": str(uuid4()), "timestamp": house.clock.now().isoformat(), "type": kind}
    personal = ("name", "given_name", "family_name", "email", "sub", "nonce")
    launch = ("message_type", "target_link_uri", "resource_link", "roles", "custom", "context")
    gone = {**dict.fromkeys(personal), **{f"lti_{name}": None for name in launch}}
    return platform.claims("", house.clock.now(), **{**gone, "lti_notice": told, **changes})


def copied(platform: Platform, house: House, context: str, *origins: str) -> dict[str, Any]:
    return claims(platform, house, COPY, lti_context={"id": context}, **{LTI + "origin_contexts": list(origins)})


def send(client: FlaskClient, *jwts: object) -> Any:
    """The answer; a test client's, whose `json` is whatever came."""
    return client.post("/lti/notices", json={"notices": [{"jwt": one} for one in jwts]})


def post(client: FlaskClient, body: bytes | str) -> TestResponse:
    return client.post("/lti/notices", data=body, content_type="application/json")


def handle(house: House, district: District) -> int:
    """Do what a worker does with the notices that wait; answers how many did."""
    with house.database.anyone() as connection:
        waiting = connection.execute(
            sa.text("DELETE FROM procrastinate_jobs WHERE task_name = 'notices.handle' RETURNING args")
        ).scalars()
        jobs = [one if isinstance(one, dict) else json.loads(one) for one in waiting]
    for job in jobs:
        house.handlers()["notices.handle"](**job)
    return len(jobs)


def kept(house: House, district: District) -> list[tuple[str, bool]]:
    """The notices that are here, by type, and whether they were handled."""
    with house.database.tenant(district.id) as connection:
        select = sa.text("SELECT notice_type, handled_at IS NOT NULL AS handled FROM notice ORDER BY received_at")
        return [(row.notice_type, row.handled) for row in connection.execute(select)]
