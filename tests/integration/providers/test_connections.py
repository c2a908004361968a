"""The guarded adapter on real sockets of this machine: pinned addresses, limits, and slow or greedy servers."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from lti_server.providers import BrokeContract, Unavailable
from lti_server.providers.connections import OutboundLimits
from lti_server.providers.transport import HttpTransport, outbound_session

QUICK = OutboundLimits(connect_s=1.0, read_s=0.5, total_s=0.6, body_bytes=100_000)


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Peer:
    """Answers each connection with the given bytes; `drip_s` puts a pause before every byte after `at_once`."""

    def __init__(self) -> None:
        self.answer = b""
        self.at_once = 0
        self.drip_s = 0.0
        self.heads: list[str] = []
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.heads.append(connection.recv(65536).decode("latin-1"))
                slow_from = self.at_once if self.drip_s else len(self.answer)
                connection.sendall(self.answer[:slow_from])
                for byte in self.answer[slow_from:]:
                    if self.stopping.wait(self.drip_s):
                        return
                    connection.sendall(bytes([byte]))
            except OSError:
                return

    def stop(self) -> None:
        self.stopping.set()
        self._listener.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.stop()


def transport(peer: Peer, *, limits: OutboundLimits = QUICK, answers: Sequence[str] = ("127.0.0.1",)) -> HttpTransport:
    session = outbound_session(
        insecure_hosts=[f"school.example:{peer.port}"], limits=limits, resolver=lambda _h, _p: answers
    )
    return HttpTransport(session, Now())


def http(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_the_checked_address_is_connected_to_and_the_name_is_kept(peer: Peer) -> None:
    peer.answer = http(b"[1]")
    assert transport(peer).request("GET", f"http://school.example:{peer.port}/x").json() == [1]
    assert f"Host: school.example:{peer.port}" in peer.heads[0]


def test_a_name_is_looked_up_once_for_a_connection(peer: Peer) -> None:
    """Between a check and a second lookup, the name could be pointed elsewhere (DNS rebinding)."""
    lookups: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) == 1 else ["10.0.0.1"]

    peer.answer = http(b"{}")
    session = outbound_session(insecure_hosts=[f"school.example:{peer.port}"], limits=QUICK, resolver=resolver)
    HttpTransport(session, Now()).request("GET", f"http://school.example:{peer.port}/x")
    assert lookups == ["school.example"]


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"]])
def test_a_name_that_points_inside_is_refused_and_nothing_is_connected(peer: Peer, answers: list[str]) -> None:
    session = outbound_session(limits=QUICK, resolver=lambda _h, _p: answers)
    with pytest.raises(BrokeContract, match="not on the public internet"):
        HttpTransport(session, Now()).request("GET", f"https://school.example:{peer.port}/")
    assert peer.heads == []


def test_a_private_address_written_out_is_refused(peer: Peer) -> None:
    session = outbound_session(limits=QUICK)
    for host in ("127.0.0.1", "[::1]", "localhost"):
        with pytest.raises(BrokeContract, match="not on the public internet"):
            HttpTransport(session, Now()).request("GET", f"https://{host}:{peer.port}/")
    assert peer.heads == []


def test_a_proxy_of_the_environment_is_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    peer.answer = http(b"{}")
    assert transport(peer).request("GET", f"http://school.example:{peer.port}/").status == 200


@pytest.mark.parametrize(
    "headers", [("Content-Length: 200",), (), ("Transfer-Encoding: chunked",)], ids=["length", "close", "chunked"]
)
@pytest.mark.parametrize("at_once", [0, 30, 2_000], ids=["from the start", "in the head", "in the body"])
def test_a_slow_drip_ends_at_the_deadline(peer: Peer, headers: tuple[str, ...], at_once: int) -> None:
    """Each byte comes well within the read timeout, so that only the deadline of the whole ends it."""
    head = "\r\n".join(["HTTP/1.1 200 OK", *headers, "Connection: close", "", ""]).encode()
    chunked = "Transfer-Encoding: chunked" in headers
    peer.answer = head + (b"C8\r\n" + b"x" * 200 if chunked else b"x" * 200)
    peer.at_once, peer.drip_s = min(at_once, len(head) + 10), 0.05
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer in time"):
        transport(peer).request("GET", f"http://school.example:{peer.port}/?code=abc")
    assert time.monotonic() - begun < 5


def test_a_silent_server_ends_at_the_read_timeout(peer: Peer) -> None:
    peer.answer, peer.drip_s = b"x", 20.0
    with pytest.raises(Unavailable, match="did not answer in time"):
        transport(peer).request("GET", f"http://school.example:{peer.port}/")


def test_a_handshake_that_never_ends_is_cut(peer: Peer) -> None:
    peer.answer, peer.drip_s = b"\x16\x03\x03\x40\x00" + b"\x00" * 16_384, 0.05
    with pytest.raises(Unavailable):
        transport(peer).request("GET", f"https://school.example:{peer.port}/")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_above_the_limit_is_not_read_to_its_end(peer: Peer, announced: bool) -> None:
    body = b"x" * 300_000
    peer.answer = http(body) if announced else b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    with pytest.raises(BrokeContract, match="more than 100000 bytes"):
        transport(peer).request("GET", f"http://school.example:{peer.port}/")


def test_a_decompression_bomb_is_counted_by_what_comes_out(peer: Peer) -> None:
    peer.answer = http(gzip.compress(b"x" * 5_000_000), "Content-Encoding: gzip")
    with pytest.raises(BrokeContract, match="more than 100000 bytes"):
        transport(peer).request("GET", f"http://school.example:{peer.port}/")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", Unavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", Unavailable),
        (b"nonsense\r\n\r\n", Unavailable),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", Unavailable),
        (http(b"not gzip", "Content-Encoding: gzip"), BrokeContract),
    ],
    ids=["nothing", "cut short", "no HTTP", "too many headers", "no gzip"],
)
def test_a_broken_answer_is_a_fault(peer: Peer, answer: bytes, fault: type[Exception]) -> None:
    peer.answer = answer
    with pytest.raises(fault) as raised:
        transport(peer).request("GET", f"http://school.example:{peer.port}/?code=abc")
    assert "abc" not in str(raised.value)


def test_a_closed_port_is_unavailable(peer: Peer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        peer.port = closed.getsockname()[1]
    with pytest.raises(Unavailable, match="does not accept connections"):
        transport(peer).request("GET", f"http://school.example:{peer.port}/")


def test_a_kept_connection_is_under_the_deadline_of_each_request(peer: Peer) -> None:
    """The second answer on one connection drips; its own deadline must cut it."""
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    session = outbound_session(
        insecure_hosts=[f"school.example:{port}"], limits=QUICK, resolver=lambda _h, _p: ["127.0.0.1"]
    )
    reused = HttpTransport(session, Now())

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(first)
            connection.recv(65536)
            try:
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 900:
                    connection.sendall(bytes([byte]))
                    if peer.stopping.wait(0.05):
                        return
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        assert reused.request("GET", f"http://school.example:{port}/").json() == {}
        with pytest.raises(Unavailable, match="did not answer in time"):
            reused.request("GET", f"http://school.example:{port}/")
