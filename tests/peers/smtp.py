"""A mail server on loopback that keeps what it is given, and can be told to refuse."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """`refusal` is the answer to RCPT, such as `550 no such address`."""

    port: int = 0
    refusal: str = ""
    received: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _Session(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as smtplib speaks."""

    server: _Listener

    def handle(self) -> None:
        self._say("220 peer")
        for line in iter(self.rfile.readline, b""):
            verb = line[:4].upper()
            if verb == b"DATA":
                self._take()
            elif verb == b"RCPT" and self.server.peer.refusal:
                self._say(self.server.peer.refusal)
            else:
                self._say("221 bye" if verb == b"QUIT" else "250 ok")

    def _take(self) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        for line in iter(self.rfile.readline, b".\r\n"):
            if not line:
                return
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.peer.received.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    peer: MailServer


@contextmanager
def serving() -> Iterator[MailServer]:
    """A mail server on a free port, until the block ends."""
    with _Listener(("127.0.0.1", 0), _Session) as listener:
        listener.peer = MailServer(port=int(listener.server_address[1]))
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listener.peer
        finally:
            listener.shutdown()
            thread.join()
