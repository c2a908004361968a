"""A platform whose tool is a key set on loopback, and a tool's hands to call it with."""

from __future__ import annotations

import html
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from lti_server_demo_lms import (
    PROFILES,
    Course,
    DemoLmsConfig,
    District,
    Faults,
    Person,
    Profile,
    ResourceLink,
    World,
    create_app,
    sample_world,
)
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.store import Store
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

    app: Flask
    client: FlaskClient
    tool_url: str
    tool_key: RSAKey
    district: District
    course: Course
    faults: Faults

    @property
    def parts(self) -> Parts:
        return cast(Parts, self.app.extensions["demo_lms"])

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
            "iss": self.district.client_id, "sub": self.district.client_id,
            "aud": self.parts.token_audience(self.district),
            "iat": now, "exp": now + 60, "jti": str(uuid4()), **changes,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": kid}, said, key or self.tool_key, algorithms=["RS256"])

    def ask_token(self, assertion: str, scope: str = NRPS, **changes: str) -> TestResponse:
        form = {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion, "scope": scope, **changes,
        }  # fmt: skip
        return self.client.post(self.parts.endpoint(self.district, "token").removeprefix(BASE), data=form)

    def bearer(self, *scopes: str) -> dict[str, str]:
        answer = self.ask_token(self.assertion(), " ".join(scopes))
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    def column(self, label: str = "Turtle garden", **more: Any) -> str:
        """A new line item's path and query."""
        answer = self.client.post(
            self.parts.line_items_url(self.district, self.course).removeprefix(BASE),
            data=json.dumps({"label": label, "scoreMaximum": 100, **more}),
            headers=self.bearer(AGS + "lineitem"),
            content_type=LINE_ITEM,
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"]).removeprefix(BASE)

    def score(self, column: str, person_id: str, at: str = "2026-11-24T10:00:00.000Z", **changes: Any) -> TestResponse:
        return self.send(column, {**scored(person_id), "timestamp": at, **changes})

    def send(self, column: str, body: dict[str, Any]) -> TestResponse:
        """A score as it stands."""
        headers = self.bearer(AGS + "score")
        address = self.below(column, "scores")
        return self.client.post(address, data=json.dumps(body), headers=headers, content_type=SCORE)

    def below(self, column: str, service: str) -> str:
        """A service's name goes on the path, before any query (AGS 2.0, 3.4)."""
        address = urlsplit(column)
        return urlunsplit(address._replace(path=f"{address.path}/{service}"))

    def get(self, address: str, scope: str) -> TestResponse:
        return self.client.get(address.removeprefix(BASE), headers=self.bearer(scope))

    def login(self, link_id: str | None = None) -> dict[str, str]:
        """What the platform sends to the tool's login for who is signed in."""
        return self.begun(f"{self.path}/launch/{link_id or self.course.links[0].id}?in=frame")

    def begun(self, address: str) -> dict[str, str]:
        """What the platform sends to the tool's login from an address of its own."""
        answer = self.client.get(address)
        assert answer.status_code == 302
        return dict(parse_qsl(urlsplit(answer.location).query))

    def launch(self, person: Person, link_id: str | None = None) -> dict[str, Any]:
        """The claims of somebody's launch."""
        self.sign_in(person)
        return self.claims(self.login(link_id))

    def answer(self, begun: dict[str, str]) -> TestResponse:
        """What the authorization endpoint answers to the tool's request."""
        query = {
            "client_id": self.district.client_id, "redirect_uri": f"{self.tool_url}/lti/launch", "scope": "openid",
            "response_type": "id_token", "response_mode": "form_post", "prompt": "none", "nonce": "n-1",
            "state": "s-1", "login_hint": begun["login_hint"], "lti_message_hint": begun["lti_message_hint"],
        }  # fmt: skip
        return self.client.get(self.parts.endpoint(self.district, "auth").removeprefix(BASE), query_string=query)

    def claims(self, begun: dict[str, str]) -> dict[str, Any]:
        """What the answer says, by the platform's own key set."""
        answer = self.answer(begun)
        found = re.search(r'name="id_token" value="([^"]+)"', answer.text)
        assert found is not None, answer.text
        keys = KeySet.import_key_set(
            self.client.get(self.parts.endpoint(self.district, "jwks").removeprefix(BASE)).json
        )
        return jwt.decode(found[1], keys, algorithms=["RS256"]).claims

    def members(self, query: str = "") -> list[list[dict[str, Any]]]:
        """Every page of the course's members, by following the links."""
        return [answer.json["members"] for answer in self.pages(f"{self.path}/memberships/{self.course.id}{query}")]

    def pages(self, address: str, scope: str = NRPS) -> list[TestResponse]:
        found, headers = [], self.bearer(scope)
        while address:
            answer = self.client.get(address.removeprefix(BASE), headers=headers)
            assert answer.status_code == 200, answer.text
            found.append(answer)
            address = next_page(answer)
        return found


@pytest.fixture(scope="session")
def tool_key() -> RSAKey:
    return RSAKey.generate_key(2_048)


@pytest.fixture(scope="session")
def platform_key() -> str:
    """One for all platforms, as a key takes longest to make."""
    return json.dumps(RSAKey.generate_key(2_048).as_dict(private=True))


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


def scored(person_id: str) -> dict[str, Any]:
    return {
        "userId": person_id, "scoreGiven": 80, "scoreMaximum": 100, "timestamp": "2026-11-24T10:00:00.000Z",
        "activityProgress": "Completed", "gradingProgress": "FullyGraded",
    }  # fmt: skip


LINK = re.compile(r"""<([^>]*)>((?:\s*;\s*\w+=(?:"[^"]*"|[^";,]*))*)""")


def next_page(answer: TestResponse) -> str:
    """The address of the next page, as a lenient reader of the `Link` header finds it; empty at the last page."""
    said = answer.headers.get("Link", "").encode("latin-1").decode()
    addresses = [url for url, rest in LINK.findall(said) if re.search(r"\brel=\W?([a-z]+ )*next\b", rest.lower())]
    return html.unescape(addresses[0]) if addresses else ""


def made(
    data_dir: Path, tool_url: str, tool_key: RSAKey, profile: Profile = PROFILES["plain"], world: World | None = None
) -> Lms:
    config = DemoLmsConfig(
        base_url=BASE, tool_url=tool_url, data_dir=data_dir, world=world or sample_world(), profile=profile
    )
    app = create_app(config)
    district = app.extensions["demo_lms"].config.world.districts[0]
    return Lms(
        app=app, client=app.test_client(), tool_url=tool_url, tool_key=tool_key, district=district,
        course=district.courses[0], faults=app.extensions["demo_lms"].faults,
    )  # fmt: skip


@pytest.fixture
def lms(tmp_path: Path, tool_url: str, tool_key: RSAKey) -> Lms:
    return made(tmp_path, tool_url, tool_key)


@pytest.fixture
def launched(tmp_path: Path, tool_url: str, tool_key: RSAKey, platform_key: str) -> Callable[..., Lms]:
    """Makes platforms of a profile; `link` stands before the links of the first course."""
    numbers = itertools.count()

    def start(profile: Profile, *, world: World | None = None, link: ResourceLink | None = None) -> Lms:
        built = world or sample_world()
        if link is not None:
            first, *others = built.districts
            course = replace(first.courses[0], links=(link, *first.courses[0].links))
            built = World(districts=(replace(first, courses=(course, *first.courses[1:])), *others))
        data_dir = tmp_path / str(next(numbers))
        Store(data_dir).secret("signing_key", lambda: platform_key)
        return made(data_dir, tool_url, tool_key, profile, built)

    return start


@pytest.fixture
def restarted(tmp_path: Path, tool_url: str, tool_key: RSAKey, lms: Lms) -> Lms:
    """The same platform in another process's eyes: made again from its data directory."""
    return made(tmp_path, tool_url, tool_key)
