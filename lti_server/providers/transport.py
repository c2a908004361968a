"""Outbound HTTP: the one session factory, and the SPI's `Transport` on top of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import urljoin

import requests
import stamina

from lti_server import __version__
from lti_server.providers.addresses import AddressGuard, Resolver, system_resolver
from lti_server.providers.connections import GuardedAdapter, OutboundLimits
from lti_server.providers.documents import Documents
from lti_server.providers.errors import BrokeContract, RateLimited, Unavailable
from lti_server.providers.spi import Clock
from lti_server.providers.wire import (
    MAX_PAGES,
    Authorization,
    Response,
    answer_or_fault,
    host_of,
    next_link,
    walk,
)

T = TypeVar("T")

USER_AGENT = f"lti-server/{__version__}"
MAX_REDIRECTS = 4

_log = logging.getLogger(__name__)


def outbound_session(
    *,
    insecure_hosts: Collection[str] = (),
    limits: OutboundLimits | None = None,
    resolver: Resolver = system_resolver,
) -> requests.Session:
    """A plain `requests.Session` that reaches nothing but checked addresses, within limits.

    Whoever takes it (pylti1p3, Authlib) is under the same guard, at every redirect too, and gets
    `ProviderFault`s. It keeps no cookies and reads neither proxies nor .netrc from the environment.
    """
    # urllib3 writes whole addresses, query strings included, at DEBUG; those may hold codes and ids.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    guard = AddressGuard(insecure_hosts=frozenset(host.lower() for host in insecure_hosts), resolver=resolver)
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = MAX_REDIRECTS
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
    adapter = GuardedAdapter(guard, limits or OutboundLimits())
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


Around = Callable[[], AbstractContextManager[object]]
"""Entered right before each single call and left right after its answer: it may refuse, by raising."""


class HttpTransport:
    """The SPI's `Transport`. With `hosts`, nothing but those is called: what a plugin's manifest declares."""

    def __init__(
        self,
        session: requests.Session,
        clock: Clock,
        *,
        hosts: Collection[str] | None = None,
        around: Around = nullcontext,
        documents: Documents | None = None,
    ) -> None:
        self._session = session
        self._clock = clock
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._around = around
        self._documents = documents or Documents(clock)

    def limited_to(self, hosts: Collection[str]) -> HttpTransport:
        """The same transport for one plugin's hosts."""
        return HttpTransport(self._session, self._clock, hosts=hosts, around=self._around, documents=self._documents)

    def within(self, around: Around) -> HttpTransport:
        """The same transport, each of whose calls happens within `around`: one page or send, each redirect by itself.

        A call ends within the session's `total_s`, so that whoever waits for it waits less than 30 s (design 2).
        """
        return HttpTransport(self._session, self._clock, hosts=self._hosts, around=around, documents=self._documents)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        authorization: Authorization | None = None,
        accept: Collection[int] = (),
    ) -> Response:
        request = requests.Request(
            method, url, params=params, headers=dict(headers or {}), data=form or body, json=json
        )
        # The session's own headers go on each hop by hand: prepare_request() would also bring cookies and auth.
        for name, value in self._session.headers.items():
            request.headers.setdefault(name, value)
        response = self._follow(request, authorization)
        return answer_or_fault(response, now=self._clock.now(), accept=accept)

    def pages(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        authorization: Authorization | None = None,
        next_url: Callable[[Response], str | None] = next_link,
        max_pages: int = MAX_PAGES,
    ) -> Iterator[Response]:
        first = requests.Request("GET", url, params=params).prepare().url or url

        def get(address: str) -> Response:
            return self.request("GET", address, headers=headers, authorization=authorization)

        return walk(get, first, next_url=next_url, max_pages=max_pages)

    def public_document(self, url: str, *, max_age_s: int = 3600) -> Response:
        self._must_be_declared(url)
        return self._documents.get(url, max_age_s, lambda: self.request("GET", url))

    def _follow(self, request: requests.Request, authorization: Authorization | None) -> Response:
        """The answer after redirects of GET and HEAD; each hop is checked anew, and a form is never sent twice.

        A credential goes on to its own hosts alone: a redirect elsewhere ends the request.
        """
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(request, authorization)
            location = response.headers.get("location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            if request.method not in ("GET", "HEAD"):
                raise BrokeContract(f"{host_of(response.url)} redirects a {request.method}; it was not sent again.")
            request.url, request.params = urljoin(response.url, location), {}
        raise BrokeContract(f"{host_of(str(request.url))} redirects more than {MAX_REDIRECTS} times.")

    def _send(self, request: requests.Request, authorization: Authorization | None) -> Response:
        url = str(request.url)
        self._must_be_declared(url)
        try:
            prepared = request.prepare()
        except (requests.RequestException, ValueError):
            raise BrokeContract(f"An address on {host_of(url)} cannot be read.") from None
        prepared.headers.pop("Authorization", None)
        if authorization is not None:
            prepared.headers["Authorization"] = authorization.header_for(prepared.url or url)
        verify = True if self._session.verify is None else self._session.verify
        with self._around():
            answer = self._session.get_adapter("https://").send(prepared, verify=verify)
        _log.debug("outbound %s %s %s", prepared.method, host_of(url), answer.status_code)
        return Response(
            status=answer.status_code,
            url=prepared.url or url,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=answer.content,
        )

    def _must_be_declared(self, url: str) -> None:
        if self._hosts is not None and host_of(url) not in self._hosts:
            raise BrokeContract(
                f"{host_of(url)} is not among the hosts that this connection may use; nothing was sent there."
            )


def worth_waiting(error: Exception, *, most_s: float) -> bool | float:
    """Whether a GET may be repeated at once: after an outage yes; after a limit, in as many seconds as it says.

    A longer wait than `most_s` belongs to the job queue, not to a worker that sleeps.
    """
    if isinstance(error, RateLimited):
        return float(error.retry_after_s) if error.retry_after_s <= most_s else False
    return isinstance(error, Unavailable)


def patiently(get: Callable[[], T], *, attempts: int = 3, most_wait_s: float = 10.0, budget_s: float = 45.0) -> T:
    """`get()` with repeats after an outage or a limit, within `budget_s` seconds in all. For GETs alone.

    Not inside the fence of a page (design 2): between pages, or around a read that can start anew.
    """
    for attempt in stamina.retry_context(
        on=lambda error: worth_waiting(error, most_s=most_wait_s),
        attempts=attempts,
        timeout=budget_s,
        wait_initial=0.5,
        wait_max=most_wait_s,
    ):
        with attempt:
            return get()
    raise AssertionError("stamina re-raises the last failure")
