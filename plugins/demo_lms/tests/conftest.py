"""A platform whose tool is a key set on loopback, and a tool's hands to call it with."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_demo_lms import Course, DemoLmsConfig, District, Faults, Person, create_app, sample_world
from werkzeug.test import TestResponse

BASE = "http://127.0.0.1:8001"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCORE = "application/vnd.ims.lis.v1.score+json"
LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"


@dataclass
class Lms:
    """The platform as a browser and a tool see it, at its first district's first course."""

    client: FlaskClient
    tool_url: str
    tool_key: RSAKey
    district: District
    course: Course
    faults: Faults

    @property
    def issuer(self) -> str:
        return f"{BASE}/{self.district.slug}"

    @property
    def path(self) -> str:
        return f"/{self.district.slug}"

    def sign_in(self, person: Person) -> None:
        self.client.post(f"{self.path}/sign-in", data={"person": person.id})

    def assertion(self, *, key: RSAKey | None = None, kid: str = "tool-key", **changes: Any) -> str:
        now = int(time.time())
        said = {
            "iss": self.district.client_id, "sub": self.district.client_id, "aud": f"{self.issuer}/token",
            "iat": now, "exp": now + 60, "jti": str(uuid4()), **changes,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": kid}, said, key or self.tool_key, algorithms=["RS256"])

    def ask_token(self, assertion: str, scope: str = NRPS, **changes: str) -> TestResponse:
        form = {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion, "scope": scope, **changes,
        }  # fmt: skip
        return self.client.post(f"{self.path}/token", data=form)

    def bearer(self, *scopes: str) -> dict[str, str]:
        answer = self.ask_token(self.assertion(), " ".join(scopes))
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    def column(self, label: str = "Turtle garden", **more: Any) -> str:
        """A new line item's path and query."""
        answer = self.client.post(
            f"{self.path}/lineitems/{self.course.id}?type_id=2",
            data=json.dumps({"label": label, "scoreMaximum": 100, **more}),
            headers=self.bearer(AGS + "lineitem"),
            content_type=LINE_ITEM,
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"]).removeprefix(BASE)

    def score(self, column: str, person_id: str, at: str = "2026-11-24T10:00:00.000Z", **changes: Any) -> TestResponse:
        body = {
            "userId": person_id, "scoreGiven": 80, "scoreMaximum": 100, "timestamp": at,
            "activityProgress": "Completed", "gradingProgress": "FullyGraded", **changes,
        }  # fmt: skip
        address = column.replace("?", "/scores?")
        headers = self.bearer(AGS + "score")
        return self.client.post(address, data=json.dumps(body), headers=headers, content_type=SCORE)


@pytest.fixture(scope="session")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2_048)


@pytest.fixture(scope="session")
def tool_url(tool_key: RSAKey) -> Iterator[str]:
    """A tool that has only its key set."""
    body = json.dumps({"keys": [{**tool_key.as_dict(private=False), "kid": "tool-key"}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/lti/jwks" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the tests speak for it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def made(data_dir: Path, tool_url: str, tool_key: RSAKey) -> Lms:
    world = sample_world()
    app = create_app(DemoLmsConfig(base_url=BASE, tool_url=tool_url, data_dir=data_dir, world=world))
    district = world.districts[0]
    return Lms(
        client=app.test_client(), tool_url=tool_url, tool_key=tool_key, district=district,
        course=district.courses[0], faults=app.extensions["demo_lms"].faults,
    )  # fmt: skip


@pytest.fixture
def lms(tmp_path: Path, tool_url: str, tool_key: RSAKey) -> Lms:
    return made(tmp_path, tool_url, tool_key)


@pytest.fixture
def restarted(tmp_path: Path, tool_url: str, tool_key: RSAKey, lms: Lms) -> Lms:
    """The same platform in another process's eyes: made again from its data directory."""
    return made(tmp_path, tool_url, tool_key)
