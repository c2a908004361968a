"""A transport that answers from a recording, by the same rules as the real one, and a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lti_server.providers.spi import Clock
from lti_server.providers.wire import (
    MAX_PAGES,
    Authorization,
    Response,
    answer_or_fault,
    next_link,
    walk,
)

NOON = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> None:
        """`advance(days=1)`: the words of `timedelta`."""
        self._now += timedelta(**by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. The order of a query does not matter; `form`, where given, must match whole.

    `body` is sent as it is when it is text, as JSON otherwise.
    """

    url: str
    method: str = "GET"
    form: Mapping[str, str] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = ""

    def response(self) -> Response:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Response(status=self.status, url=self.url, headers=headers, body=text.encode())


Recording = Path | Sequence[Exchange]
Alter = Callable[[int, Response], Response]
"""Changes the n-th answer of a run, counted from 0; it may raise, as the wire may."""


def exchanges(recording: Recording) -> list[Exchange]:
    """Read a recording: a list in the test, or a JSON file (docs/reference/provider-spi.md)."""
    if not isinstance(recording, Path):
        return list(recording)
    read = json.loads(recording.read_text(encoding="utf-8"))
    return [
        Exchange(
            url=one["request"]["url"],
            method=one["request"].get("method", "GET"),
            form=one["request"].get("form"),
            status=one["response"].get("status", 200),
            headers=one["response"].get("headers", {}),
            body=one["response"].get("json", one["response"].get("text", "")),
        )
        for one in read["exchanges"]
    ]


class UnrecordedRequest(AssertionError):
    """The plugin asked for something that the recording does not have."""


class RecordedTransport:
    """Several exchanges of one request answer in their order, the last one again and again.

    `sent` lists what went out, as (method, address), and `forms` the form of each, empty where there was none;
    `unused()` lists what the recording holds in vain.
    """

    def __init__(self, recording: Recording, *, clock: Clock, alter: Alter | None = None) -> None:
        self._exchanges = exchanges(recording)
        self._clock = clock
        self._alter = alter
        self.sent: list[tuple[str, str]] = []
        self.forms: list[Mapping[str, str]] = []
        self.unrecorded: list[str] = []
        self.used: set[int] = set()

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
        if authorization is not None:
            authorization.header_for(url)
        asked = with_query(url, params)
        ordinal = len(self.sent)
        self.sent.append((method, asked))
        self.forms.append(dict(form or {}))
        response = self._answer(method, asked, form)
        if self._alter is not None:
            response = self._alter(ordinal, response)
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
        def get(address: str) -> Response:
            return self.request("GET", address, headers=headers, authorization=authorization)

        return walk(get, with_query(url, params), next_url=next_url, max_pages=max_pages)

    def public_document(self, url: str, *, max_age_s: int = 3600) -> Response:
        """As `request`: a recording keeps nothing, so that every read of a document is one that a plugin asked for."""
        return self.request("GET", url)

    def unused(self) -> list[str]:
        left = (one for number, one in enumerate(self._exchanges) if number not in self.used)
        return [f"{one.method} {one.url}" for one in left]

    def _answer(self, method: str, url: str, form: Mapping[str, str] | None) -> Response:
        fitting = [
            number
            for number, one in enumerate(self._exchanges)
            if (one.method, same_address(one.url)) == (method, same_address(url))
            and (one.form is None or dict(one.form) == dict(form or {}))
        ]
        if not fitting:
            self.unrecorded.append(f"{method} {url}")
            raise UnrecordedRequest(f"the recording has no answer to {method} {url}")
        number = next((one for one in fitting if one not in self.used), fitting[-1])
        self.used.add(number)
        return self._exchanges[number].response()


def with_query(url: str, params: Mapping[str, str] | None) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(params or {})]))
    return urlunsplit(parts._replace(query=query))


def same_address(url: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    """What two spellings of one address have in common."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower(), parts.path or "/", sorted(parse_qsl(parts.query, True))
