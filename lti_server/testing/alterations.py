"""What can go wrong with an answer: limits, refusals, outages, nonsense, hostile values, foreign links."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import urljoin

from lti_server.providers.errors import Unavailable
from lti_server.providers.wire import Response
from lti_server.testing.recorded import NOON, Alter, same_address

FOREIGN_HOST: Final = "foreign.example"
LIMITS: Final[Mapping[str, int]] = {
    "17": 17,
    format_datetime(NOON + timedelta(seconds=30), usegmt=True): 30,
}
"""`Retry-After` in both forms (RFC 9110 10.2.3), and the seconds that each means at noon."""

HOSTILE_NAMES: Final[tuple[object, ...]] = (
    None, "", "   ", "Zoë 🦄 Ünïcødé", "\u202eمرحبا\u202c", "x" * 10_000, "=HYPERLINK(1)", "a\x00b", "O'Brien\r\n<b>",
    "a\ud800b", "<script>alert(1)</script>", "\u0410d\u0430", "e\u0301\u200b", 7, True, ["a list"], {"an": "object"},
)  # fmt: skip
HOSTILE_EMAILS: Final[tuple[object, ...]] = (None, "", "everyone@school.example", "no at sign", "x" * 10_000 + "@x")


def from_then_on(first: int, *, status: int, headers: Mapping[str, str] | None = None, body: str = "") -> Alter:
    """Every answer from the `first` on has this status, as when a token dies or a limit is met on the way."""

    def alter(ordinal: int, response: Response) -> Response:
        if ordinal < first:
            return response
        return dataclasses.replace(response, status=status, headers=dict(headers or {}), body=body.encode())

    return alter


def silence_from(first: int) -> Alter:
    """No answer in time, as the real transport tells it."""

    def alter(ordinal: int, response: Response) -> Response:
        if ordinal >= first:
            raise Unavailable("the provider did not answer in time. Try again later.")
        return response

    return alter


def body_at(number: int, body: bytes) -> Alter:
    """One answer has this body; the others are as recorded."""

    def alter(ordinal: int, response: Response) -> Response:
        return response if ordinal != number else dataclasses.replace(response, body=body)

    return alter


def nonsense(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Bodies that are not what the recorded one is; nothing for a body that says nothing."""
    if not body.strip():
        return
    yield "a web page", b"<!DOCTYPE html><title>Sign in</title>"
    try:
        read = json.loads(body)
    except ValueError:
        return
    yield "a body cut short", body[: len(body) - 3]
    for name, value in (("null", None), ("a number", 7), ("a text", "nonsense")):
        yield name, json.dumps(value).encode()
    yield "the other container", b"[]" if isinstance(read, dict) else b"{}"
    for name, wrong in (("numbers for containers", _without_containers(read)), ("numbers in lists", _numbers(read))):
        if wrong != read:
            yield name, json.dumps(wrong).encode()


def _without_containers(read: object) -> object:
    if not isinstance(read, dict):
        return read
    return {name: 7 if isinstance(value, list | dict) else value for name, value in read.items()}


def _numbers(read: object) -> object:
    if isinstance(read, list):
        return [7 for _ in read]
    if isinstance(read, dict):
        return {name: _numbers(value) for name, value in read.items()}
    return read


def values_replaced(values: Collection[str], by: object) -> Alter:
    """Every text of a JSON answer that is one of `values` becomes `by`."""

    def alter(_ordinal: int, response: Response) -> Response:
        try:
            read = json.loads(response.body)
        except ValueError:
            return response
        return dataclasses.replace(response, body=json.dumps(with_values(read, values, by)).encode())

    return alter


def with_values(read: Any, values: Collection[object], by: object) -> Any:
    """What was read, with every text or number that is one of `values` replaced."""
    if isinstance(read, dict):
        return {name: with_values(value, values, by) for name, value in read.items()}
    if isinstance(read, list):
        return [with_values(value, values, by) for value in read]
    return by if isinstance(read, str | int) and (type(read), read) in [(type(one), one) for one in values] else read


def without_values(read: Any, values: Collection[str]) -> Any:
    """What was read, without any entry whose text is one of `values`: withheld, and not even named."""
    if isinstance(read, dict):
        kept = {name: value for name, value in read.items() if not (isinstance(value, str) and value in values)}
        return {name: without_values(value, values) for name, value in kept.items()}
    return [without_values(value, values) for value in read] if isinstance(read, list) else read


def with_more(read: Any, more: Mapping[str, object]) -> Any:
    """What was read, with further entries in every object that lacks them."""
    if isinstance(read, dict):
        return {**more, **{name: with_more(value, more) for name, value in read.items()}}
    return [with_more(value, more) for value in read] if isinstance(read, list) else read


def links_abroad(addresses: Collection[str]) -> Alter:
    """Every link of an answer to one of the recorded `addresses` leads to the same page of a foreign host.

    Links stand in the `Link` header or anywhere in a JSON body, absolute or relative.
    """
    known = [same_address(address) for address in addresses]

    def abroad(link: str, at: str) -> str:
        if not link.startswith(("http", "/", "?")):
            return link
        absolute = urljoin(at, link)
        if same_address(absolute) == same_address(at) or same_address(absolute) not in known:
            return link
        scheme, host, *_ = same_address(absolute)
        return absolute.replace(f"{scheme}://{host}", f"{scheme}://{FOREIGN_HOST}", 1)

    def led(read: object, at: str) -> object:
        if isinstance(read, dict):
            return {name: led(value, at) for name, value in read.items()}
        if isinstance(read, list):
            return [led(value, at) for value in read]
        return abroad(read, at) if isinstance(read, str) else read

    def alter(_ordinal: int, response: Response) -> Response:
        headers = dict(response.headers)
        following = response.links.get("next")
        if following is not None:
            headers["link"] = f'<{abroad(following, response.url)}>; rel="next"'
        try:
            body = json.dumps(led(json.loads(response.body), response.url)).encode()
        except ValueError:
            body = response.body
        return dataclasses.replace(response, headers=headers, body=body)

    return alter
