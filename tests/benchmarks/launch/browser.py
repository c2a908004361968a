"""The load: one browser a connection, each doing login, launch and page over one kept-alive connection."""

from __future__ import annotations

import http.client
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.peers.bare_platform import Platform

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PEOPLE = 200


class Refused(Exception):
    """The server under test answered otherwise than a launch should be answered."""


@dataclass
class Browser:
    """One pupil's browser after another, on one connection."""

    port: int
    platform: Platform
    lesson_id: str
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method: str, target: str, cookies: dict[str, str], body: str | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())} if cookies else {}
        self.connection.request(method, target, body, {**headers, **(FORM if body else {})})
        answer = self.connection.getresponse()
        answer.read()
        for line in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(line.replace("Partitioned", "")).items():
                cookies[name] = morsel.value
        return answer.status, answer.headers.get("Location", "")

    def once(self) -> None:
        """Login, launch, page: as a new browser, as one of some pupils who were here before."""
        cookies: dict[str, str] = {}
        target = f"http://127.0.0.1:{self.port}/lti/launch"
        query = {
            "iss": self.platform.issuer, "login_hint": "hint", "target_link_uri": target,
            "client_id": self.platform.client_id, "lti_message_hint": "message",
        }  # fmt: skip
        status, location = self.ask("GET", f"/lti/login?{urlencode(query)}", cookies)
        if status != 302:
            raise Refused(f"login answered {status}")
        given = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        claims = self.platform.claims(
            given["nonce"], datetime.now(UTC), sub=f"pupil-{random.randrange(PEOPLE)}",
            lti_target_link_uri=target, lti_custom={"lesson_id": self.lesson_id},
        )  # fmt: skip
        form = urlencode({"id_token": self.platform.sign(claims), "state": given["state"]})
        status, location = self.ask("POST", "/lti/launch", cookies, form)
        if status in (302, 303):
            parts = urlsplit(location)
            status, _ = self.ask("GET", parts.path + ("?" + parts.query if parts.query else ""), cookies)
        if status != 200:
            raise Refused(f"launch or page answered {status}")

    def close(self) -> None:
        self.connection.close()
