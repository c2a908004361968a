"""The adapter under every outbound request: connects only to addresses that were checked, and only for so long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from lti_server.providers.addresses import AddressGuard
from lti_server.providers.errors import BrokeContract, ProviderFault, Unavailable
from lti_server.providers.wire import host_of

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundLimits:
    """`total_s` covers lookup, connection, handshake, headers and body; below the 30 s of design 2."""

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 25.0
    body_bytes: int = 5 * 1024 * 1024


class Deadline:
    """Cuts the connection of one request when its time is over, whatever it is waiting for.

    A timeout of the socket alone is not enough: a server that sends a byte now and then never meets it.
    """

    def __init__(self, total_s: float) -> None:
        self._ends = time.monotonic() + total_s
        self._timer = threading.Timer(total_s, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None
        self.over = False

    def remaining_s(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    def watch(self, twin: socket.socket | None) -> None:
        """Take a copy of the descriptor: http.client closes its own before a `Connection: close` body is read."""
        with self._lock:
            if self._watched is not None:
                self._watched.close()
            self._watched = None if twin is None else twin.dup()
        if self.over:
            self._cut()

    def __enter__(self) -> Deadline:
        self._token = _current.set(self)
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.watch(None)
        _current.reset(self._token)

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            if self._watched is not None:
                try:
                    self._watched.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # it is closed already, which is what was wanted


_current: ContextVar[Deadline | None] = ContextVar("deadline of the request under way", default=None)


class _Checked(HTTPConnection):
    """Connects to a checked address; Host, SNI and certificate keep the name."""

    guard: ClassVar[AddressGuard]
    connect_s: ClassVar[float]
    plain: ClassVar[bool] = True
    twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        host, port = self.host, int(self.port or self.default_port)
        deadline = _current.get()
        within_s = min(self.connect_s, deadline.remaining_s()) if deadline else self.connect_s
        failure: OSError | None = None
        for address in self.guard.addresses(host, port, plain=self.plain, within_s=within_s):
            try:
                opened = socket.create_connection((address, port), timeout=self.connect_s)
            except OSError as error:
                failure = error
                continue
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.twin = opened.dup()
            self._watch_twin()
            return opened
        raise Unavailable(f"{host} does not accept connections. Try again later.") from failure

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        self._watch_twin()  # a kept connection is under the deadline of each request
        super().putrequest(method, url, skip_host, skip_accept_encoding)

    def close(self) -> None:
        super().close()
        if self.twin is not None:
            self.twin.close()
            self.twin = None

    def _watch_twin(self) -> None:
        """The twin outlives the hand-over of the socket to TLS, so the deadline holds in the handshake too."""
        deadline = _current.get()
        if deadline and self.twin is not None:
            deadline.watch(self.twin)


class _CheckedSecure(_Checked, HTTPSConnection):
    plain = False


def _guarded_pools(guard: AddressGuard, connect_s: float) -> Mapping[str, type[HTTPConnectionPool]]:
    """Pool classes whose connections know this guard; urllib3 takes classes here, not objects."""
    knowing = {"guard": guard, "connect_s": connect_s}

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = type("Plain", (_Checked,), knowing)

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = type("Secure", (_CheckedSecure,), knowing)

    return {"http": PlainPool, "https": SecurePool}


class GuardedAdapter(HTTPAdapter):
    """Sends one request: guarded, limited, its body read whole. Every failure is a `ProviderFault`.

    No failure carries an address beyond its host, or anything of the body, in its text or as its cause.
    """

    def __init__(self, guard: AddressGuard, limits: OutboundLimits) -> None:
        self._guard = guard
        self._limits = limits
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]  # handed through
        self.poolmanager.pool_classes_by_scheme = dict(_guarded_pools(self._guard, self._limits.connect_s))

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: bool | str = True,
        cert: object = None,
        proxies: object = None,
    ) -> requests.Response:
        """Raises:
        Unavailable: no connection, no answer within the limits.
        BrokeContract: a forbidden address, or a body above the limit.
        """
        url = request.url or ""
        self._guard.check_url(url)
        with Deadline(self._limits.total_s) as deadline:
            try:
                limits = (self._limits.connect_s, self._limits.read_s)
                response = super().send(request, stream=True, timeout=limits, verify=verify, proxies={})
                _read_whole(response, self._limits.body_bytes)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise _fault(error, host_of(url), over=deadline.over) from None
            if deadline.over:  # a cut connection can look like the plain end of a body
                raise _too_slow(host_of(url))
        return response


def _read_whole(response: requests.Response, most_bytes: int) -> None:
    """The body, decompressed, into the response."""
    try:
        response._content = _capped(response, most_bytes)
    except BaseException:
        response.raw.close()
        raise
    response.raw.release_conn()
    assert response.content is not None  # this access marks the body as read


def _capped(response: requests.Response, most_bytes: int) -> bytes:
    """The count is of what comes out of decompression, so that a bomb is cut short."""
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > most_bytes:
            raise BrokeContract(f"{host_of(response.url)} sent more than {most_bytes} bytes; the rest was not read.")
    return bytes(body)


def _fault(error: Exception, host: str, *, over: bool) -> ProviderFault:
    if over:
        return _too_slow(host)
    for cause in _chain(error):
        if isinstance(cause, ProviderFault):
            return cause
        if isinstance(cause, requests.exceptions.SSLError):
            return Unavailable(f"{host} has no certificate that this server can trust. Tell its administrator.")
        if isinstance(cause, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return _too_slow(host)
        if isinstance(cause, urllib3.exceptions.DecodeError):
            return BrokeContract(f"{host} sent a body that cannot be decompressed.")
        if isinstance(cause, urllib3.exceptions.LocationValueError | requests.exceptions.InvalidURL):
            return BrokeContract(f"An address on {host} cannot be read.")
    return Unavailable(f"{host} broke the connection off. Try again later.")


def _too_slow(host: str) -> Unavailable:
    return Unavailable(f"{host} did not answer in time. Try again later.")


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it wraps: libraries keep the cause as an argument, as `reason`, or as context."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and not any(item is one for one in found):
            found.append(item)
            waiting += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found
