"""A Flask application of a peer on a loopback port of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The tests speak for it."""


@contextmanager
def on_loopback(app: Flask) -> Iterator[int]:
    """The port, until the block ends."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class TwoHosts:
    """A vendor with its API at another host than its site: what is for one must not go to the other."""

    client_id: str
    client_secret: str
    redirect_uris: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def site(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset({f"localhost:{self.port}", f"127.0.0.1:{self.port}"})

    def application(self) -> dict[str, object]:
        """The operator's configuration, or that of a connection."""
        return {"client_id": self.client_id, "client_secret": self.client_secret, "site": self.site, "api": self.api}
