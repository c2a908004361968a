"""A platform's token endpoint and member lists on loopback: it checks who asks, and pages as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.peers.bare_platform import Platform

NRPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
NEXT = '<{url}>; rel="next"'


@dataclass
class MemberList(Platform):
    """`courses` are members by course; `link` is how the next page is named; `refuse` answers pages with a status.

    `refuse_rlid` is a status for whoever asks for messages. With `changes`, the last page links to them.
    """

    tool_jwks: Callable[[], dict[str, Any]] = lambda: {"keys": []}
    courses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    page_size: int = 50
    link: str = NEXT
    refuse: dict[int, int] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)
    assertions: list[dict[str, Any]] = field(default_factory=list)
    refuse_rlid: int = 0
    changes: list[dict[str, Any]] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    pages_read: int = 0
    expires_in: int = 3600

    @property
    def token_url(self) -> str:
        return f"{self.address}/token"

    def url(self, course: str) -> str:
        return f"{self.address}/members/{course}?tool=7&Page=First"

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """RFC 6749 4.4 with RFC 7523: each assertion once, for this address, not over."""
        claims = jwt.decode(form["client_assertion"][0], KeySet.import_key_set(self.tool_jwks())).claims  # type: ignore[arg-type]  # a plain dict is what it takes
        good = (
            claims["iss"] == claims["sub"] == self.client_id
            and claims["aud"] == self.token_url
            and claims["exp"] > claims["iat"]
            and claims["jti"] not in {one["jti"] for one in self.assertions}
            and form["scope"] == [NRPS_SCOPE]
        )
        self.assertions.append(dict(claims))
        if not good:
            return 400, {"error": "invalid_client"}
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.expires_in}

    def members(self, course: str, query: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any], str]:
        """One page, and the header that names the next."""
        self.asked.append(query)
        page = 0 if query["Page"] in ("First", "Changes") else int(query["Page"])
        self.pages_read += 1
        token = (authorization or "").removeprefix("Bearer ")
        if token not in self.tokens or token in self.expired:
            return 401, {"error": "invalid_token"}, ""
        if "rlid" in query and self.refuse_rlid:
            return self.refuse_rlid, {"error": "rlid"}, ""
        if page in self.refuse:
            return self.refuse[page], {"error": "sorry"}, ""
        told = f'<{self.address}/members/{course}?tool=7&Page=Changes>; rel="differences"'
        if query["Page"] == "Changes":
            return 200, {"id": "x", "context": {"id": course}, "members": self.changes or []}, told
        rows = self.courses[course]
        first = page * self.page_size
        body = {"id": "x", "context": {"id": course}, "members": rows[first : first + self.page_size]}
        more = first + self.page_size < len(rows)
        following = f"{self.address}/members/{course}?tool=7&Page={page + 1}"
        last = "" if self.changes is None else told
        return 200, body, self.link.format(url=following, here=self.url(course)) if more else last


def _handler(peer: MemberList) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, body = peer.token(form)
            self._answer(status, body, "application/json")

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/jwks":
                self._answer(200, peer.jwks(), "application/json")
                return
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            course = parts.path.removeprefix("/members/")
            status, body, link = peer.members(course, query, self.headers.get("Authorization"))
            self._answer(status, body, MEDIA, link)

        def _answer(self, status: int, body: object, media: str, link: str = "") -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(raw)))
            if link:
                self.send_header("Link", link.encode("utf-8").decode("latin-1"))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the tests speak for it."""

    return Handler


@contextmanager
def listing(peer: MemberList) -> Iterator[MemberList]:
    """The peer on a loopback port, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(peer))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    peer.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
