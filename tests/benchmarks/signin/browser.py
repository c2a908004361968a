"""The load: one browser a connection, each signing one pupil after another in over one kept-alive connection."""

from __future__ import annotations

import http.client
import random
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from tests.peers.openid import OpenIdPeer


class Refused(Exception):
    """The server under test answered otherwise than a sign-in should be answered."""


@dataclass
class Browser:
    """On one connection, one of so many `people` after another. Limits by address count each browser for itself."""

    port: int
    peer: OpenIdPeer
    people: int
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        school = f"127.0.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(school, 0))

    def ask(self, address: str, cookies: dict[str, str], expected: tuple[int, ...]) -> str:
        """Where the answer leads."""
        parts = urlsplit(address)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        self.connection.request("GET", target, headers=headers)
        answer = self.connection.getresponse()
        answer.read()
        for line in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(line.replace("Partitioned", "")).items():
                cookies[name] = morsel.value
        if answer.status not in expected:
            raise Refused(f"{parts.path} answered {answer.status}")
        return answer.headers.get("Location", "")

    def once(self) -> None:
        """To the provider, back, and to the page behind it, in a browser that has no cookies yet."""
        cookies: dict[str, str] = {}
        away = self.ask("/auth/oidc/login?district=north", cookies, (302,))
        home = self.ask(self.peer.back(away, f"pupil-{random.randrange(self.people)}"), cookies, (302, 303))
        self.ask(home, cookies, (200,))

    def close(self) -> None:
        self.connection.close()
