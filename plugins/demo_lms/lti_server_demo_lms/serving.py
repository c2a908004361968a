"""Serving the LMS on this computer alone."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler
from werkzeug.serving import make_server as make_wsgi_server

logger = logging.getLogger("lti_server_demo_lms")


class NotLoopback(ValueError):
    """The address can be reached from other computers; anyone may sign in as anyone here."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one.

    Raises:
        NotLoopback: `host` is no loopback address. OSError: the port is taken.
    """
    if host != "localhost" and not _is_loopback(host):
        raise NotLoopback(f"{host} is not a loopback address. Take 127.0.0.1, ::1 or localhost.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def make_server(app: Flask, listener: socket.socket) -> BaseWSGIServer:
    """A threaded server on a socket from `listen`; `serve_forever()` runs it."""
    host, port = listener.getsockname()[:2]
    return make_wsgi_server(host, port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno())


@contextmanager
def running(app: Flask, listener: socket.socket) -> Iterator[BaseWSGIServer]:
    """The server in a thread of its own, until the block ends. Closes the socket."""
    server = make_server(app, listener)
    thread = threading.Thread(target=server.serve_forever, name="demo-lms", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        listener.close()


class QuietHandler(WSGIRequestHandler):
    """Logs the path alone: queries and forms carry who somebody is."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        logger.info("%s %s %s", self.command, self.path.partition("?")[0], code)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
