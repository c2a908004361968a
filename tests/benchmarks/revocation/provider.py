"""An LMS on loopback that stamps each request as it arrives, before it answers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


@dataclass
class Provider:
    """One address a client: `/<client>/token`, `/<client>/members`, `/<client>/column/scores`."""

    address: str = ""
    arrived: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stamp(self, path: str) -> str:
        """Note that something has arrived for a client; answers what it is."""
        _, client, kind = path.partition("?")[0].split("/", 2)
        with self._lock:
            self.arrived[client] += 1
            self.kinds[kind] += 1
        return kind

    def of(self, client: str) -> int:
        with self._lock:
            return self.arrived[client]


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            kind = provider.stamp(self.path)
            token = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600}
            self._answer(token if kind == "token" else {}, "application/json")

        def do_GET(self) -> None:
            provider.stamp(self.path)
            rows = [{"user_id": f"pupil-{i}", "roles": [LEARNER], "status": "Active", "name": f"P {i}"} for i in "12"]
            self._answer({"id": "x", "context": {"id": "course"}, "members": rows}, MEMBERS)

        def _answer(self, body: dict[str, Any], media: str) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the report speaks for it."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed leaves a broken connection."""


@contextmanager
def serving() -> Iterator[Provider]:
    """The provider on a loopback port, until the block ends."""
    provider = Provider()
    server = _Server(("127.0.0.1", 0), _handler(provider))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    provider.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
