"""What a request's answer looks like to a plugin, what it means, and how pages are followed; part of the SPI.

Pure: the rules here hold for the real transport and for a recorded one alike.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from lti_server.providers.errors import BrokeContract, RateLimited, RejectedCredentials, Unavailable

MAX_PAGES: Final = 2_000
RETRY_UNTOLD_S: Final = 60
RETRY_MOST_S: Final = 86_400
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, read whole. `headers` have lower-case names; `url` is where it came from, after redirects."""

    status: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<Response {self.status} from {host_of(self.url)}, {len(self.body)} bytes>"

    def json(self) -> object:
        """The body as JSON.

        Raises:
            BrokeContract: it is none.
        """
        try:
            parsed: object = json.loads(self.body)
        except (ValueError, RecursionError):
            raise BrokeContract(f"{host_of(self.url)} answered {self.status} with a body that is not JSON.") from None
        return parsed

    @property
    def links(self) -> dict[str, str]:
        """Absolute addresses of the `Link` header by lower-case relation (RFC 8288, and what platforms send)."""
        return parse_links(self.headers.get("link", ""), at=self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A credential and the hosts that may see it: `host`, or `host:port` where the port is not the scheme's own."""

    header: str = field(repr=False)
    hosts: frozenset[str]

    @classmethod
    def bearer(cls, token: str, *, hosts: Collection[str]) -> Authorization:
        return cls(header=f"Bearer {token}", hosts=frozenset(hosts))

    @classmethod
    def basic(cls, user: str, password: str, *, hosts: Collection[str]) -> Authorization:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        return cls(header=f"Basic {pair}", hosts=frozenset(hosts))

    def header_for(self, url: str) -> str:
        """The header's value for this address.

        Raises:
            BrokeContract: the credential is not for that host.
        """
        if host_of(url) not in self.hosts:
            raise BrokeContract(
                f"A request with credentials would have gone to {host_of(url)}, which they are not for. "
                "Check the addresses in the configuration, and what the other system sends as links."
            )
        return self.header


def host_of(url: str) -> str:
    """`host`, or `host:port` where the port is not the scheme's own; lower case. Nothing else of an address is said."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "an address that cannot be read"
    if ":" in host:
        host = f"[{host}]"
    return host if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f"{host}:{port}"


def origin_of(url: str) -> tuple[str, str]:
    return urlsplit(url).scheme.lower(), host_of(url)


def answer_or_fault(response: Response, *, now: datetime, accept: Collection[int] = ()) -> Response:
    """The answer if a plugin can go on with it; `accept` lets further statuses through.

    Other 4xx than 401, 403 and 429 are given back: their meaning is the provider's.

    Raises:
        RejectedCredentials, RateLimited, Unavailable: by status (RFC 9110 15, RFC 6585 4).
    """
    status, host = response.status, host_of(response.url)
    if status in accept or (status < 500 and status not in (401, 403, 429)):
        return response
    if status in (401, 403):
        raise RejectedCredentials(
            f"{host} refused the credentials ({status}). Renew them, or ask its administrator for access."
        )
    waiting = retry_after_s(response, now=now)
    if status == 429 or (status == 503 and waiting is not None):
        wait = RETRY_UNTOLD_S if waiting is None else waiting
        raise RateLimited(f"{host} asks to wait {wait} seconds ({status}).", retry_after_s=wait)
    raise Unavailable(f"{host} failed ({status}). Try again later.")


def retry_after_s(response: Response, *, now: datetime) -> int | None:
    """Seconds to wait, 1 to a day: `Retry-After` as seconds or date (RFC 9110 10.2.3), else `X-RateLimit-Reset`."""
    told = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d+)?", told):
        return _bounded(float(told))
    try:
        return _bounded((_aware(parsedate_to_datetime(told)) - now).total_seconds())
    except ValueError:
        pass
    reset = response.headers.get("x-ratelimit-reset", "").strip()
    if re.fullmatch(r"\d{9,12}", reset):
        return _bounded(int(reset) - now.timestamp())
    return None


def _bounded(seconds: float) -> int:
    return max(1, min(RETRY_MOST_S, int(-(-seconds // 1))))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_TARGET = re.compile(r"\s*,*\s*<([^>]*)>")
_PARAM = re.compile(
    r"""\s*;\s*(?P<name>[^\s=;,<>"]+)\s*(?:=\s*(?:
        "(?P<quoted>(?:[^"\\]|\\.)*)" | [“”](?P<curly>[^“”]*)[“”] | (?P<plain>[^\s;,<>"“”]*) ))?""",
    re.VERBOSE,
)


def parse_links(header: str, *, at: str) -> dict[str, str]:
    """Relations of a `Link` header, each to an absolute address; the first of a relation wins (RFC 8288 3).

    Forgiving where platforms stray: no quotes, curly quotes (Moodle; UTF-8 read as Latin-1 too), `&amp;`,
    any case of names and relations, several relations in one value, commas and semicolons in a quoted title.
    The address keeps its case.
    """
    found: dict[str, str] = {}
    text, position = _as_sent(header), 0
    while match := _TARGET.match(text, position):
        target, position = match.group(1).strip().replace("&amp;", "&"), match.end()
        relations = ""
        while (param := _PARAM.match(text, position)) and param.end() > position:
            position = param.end()
            if param["name"].lower() == "rel" and not relations:
                relations = param["quoted"] or param["curly"] or param["plain"] or ""
        following = text.find(",", position)
        position = len(text) if following < 0 else following
        for relation in relations.lower().split():
            found.setdefault(relation, urljoin(at, target))
    return found


def _as_sent(header: str) -> str:
    """Header bytes are read as Latin-1; a platform that sent UTF-8 meant UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return header


def next_link(response: Response) -> str | None:
    return response.links.get("next")


def walk(
    get: Callable[[str], Response],
    url: str,
    *,
    next_url: Callable[[Response], str | None] = next_link,
    max_pages: int = MAX_PAGES,
) -> Iterator[Response]:
    """Every page from `url` on, to the one that names no next.

    Raises:
        BrokeContract: the next page is on another scheme, host or port, was read before, or there are too many.
    """
    origin, seen = origin_of(url), set[str]()
    following: str | None = url
    while following is not None:
        if origin_of(following) != origin:
            raise BrokeContract(f"{origin[1]} names a next page on {host_of(following)}; a list stays on its own host.")
        if following in seen:
            raise BrokeContract(f"The pages of a list on {origin[1]} run in a circle after {len(seen)} pages.")
        if len(seen) >= max_pages:
            raise BrokeContract(f"A list on {origin[1]} has more than {max_pages} pages.")
        seen.add(following)
        response = get(following)
        yield response
        following = next_url(response)
