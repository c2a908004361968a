"""Lists in pages: how long a page is, and how the next one is linked."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, request

from lti_server_demo_lms.answers import fault, media, problem
from lti_server_demo_lms.faults import PageFaults
from lti_server_demo_lms.profiles import LinkForm

BOOKMARK = "Bm{}Xq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list that a tool reads in pages.

    `most` is the longest page. Without `unasked`, all comes at once, and pages only where `limit` is sent, as long as
    it says; more than `most_unpaged` rows at once are refused then. `next_drops` are parameters that the next link
    forgets, `carried` those that it adds; `more` is another link of the last page.
    """

    url: str
    kind: str
    wrap: Callable[[Sequence[Any]], object]
    most: int
    form: LinkForm
    unasked: bool = True
    most_unpaged: int | None = None
    next_drops: frozenset[str] = frozenset()
    carried: dict[str, str] = field(default_factory=dict)
    more: str | None = None
    faults: PageFaults = field(default_factory=PageFaults)

    def page(self, rows: Sequence[Any]) -> Response:
        """One page and, where more follows, a `Link` to the next (RFC 8288) that keeps the other parameters.

        `limit` is a wish: no page is longer than the platform's own (NRPS 2.0, 2.4.2).
        """
        number = self._number()
        answer = self.faults.next(number)
        if answer is not None:
            return fault(answer)
        size = self._size(len(rows))
        start = (number - 1) * size
        response = media(self.wrap(rows[start : start + size]), self.kind)
        links = []
        if start + size < len(rows):
            links.append(self._link(self.faults.leads_to(number, self._address(number), self._address(number + 1))))
        elif self.more:
            links.append(self.more)
        if links:
            # A header is bytes: what is not Latin-1 goes as UTF-8.
            response.headers["Link"] = ", ".join(links).encode().decode("latin-1")
        return response

    def _size(self, rows: int) -> int:
        limit = whole("limit", 0)
        if self.unasked:
            return min(limit or self.most, self.most)
        if limit == 0 and self.most_unpaged is not None and rows > self.most_unpaged:
            abort(problem(403, "above_response_limit"))
        return limit or max(rows, 1)

    def _number(self) -> int:
        if not self.form.bookmark:
            return whole("page", 1)
        given = request.args.get("page")
        if given is None:
            return 1
        found = re.fullmatch(BOOKMARK.format("([1-9][0-9]{0,4})"), given)
        if found is None:
            abort(problem(400, "page is none of this platform's bookmarks."))
        return int(found[1])

    def _address(self, number: int) -> str:
        gone = {"page", *self.next_drops, *self.carried}
        kept = [(name, value) for name, value in request.args.items(multi=True) if name not in gone]
        page = BOOKMARK.format(number) if self.form.bookmark else str(number)
        return f"{self.url.partition('?')[0]}?{urlencode([*kept, *self.carried.items(), ('page', page)])}"

    def _link(self, address: str) -> str:
        return self.form.text.format(url=html.escape(address, quote=False) if self.form.entities else address)


def whole(name: str, default: int) -> int:
    """A number above 0 of the query; 400 for anything else."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) > 0):
        abort(problem(400, f"{name} must be a whole number above 0."))
    return int(text)
