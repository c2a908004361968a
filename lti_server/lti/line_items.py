"""Line items of a course: list, make, read, change and remove (AGS 2.0, 3.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pylti1p3.lineitem import LineItem as Described

from lti_server.lti.addresses import with_parameters
from lti_server.lti.grade_service import GONE, GradeService, Refused, on_the_same_host
from lti_server.lti.platform_profiles import LINE_ITEM
from lti_server.providers.errors import BrokeContract

ONE, MANY = "v2.lineitem+json", "v2.lineitemcontainer+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """A column as the LMS has it. `body` is all it says, also what this tool does not know."""

    url: str
    label: str
    resource_id: str | None
    resource_link_id: str | None
    body: Mapping[str, Any] = field(repr=False)


class LineItems:
    """The line items of one course. `container` is the list's address, None where the launch named none."""

    def __init__(self, calls: GradeService, container: str | None) -> None:
        self._calls = calls
        self._container = container

    @property
    def may_make(self) -> bool:
        return self._container is not None and self._calls.allows(LINE_ITEM)

    def find(self, **filters: str) -> Iterator[LineItem]:
        """Those that a filter fits (`resource_id`, `resource_link_id`, `tag`); platforms that know no filter send all.

        Raises:
            Refused: the list may not be read.
        """
        scope = self._calls.reading
        if self._container is None or scope is None:
            return
        for row in self._calls.rows(with_parameters(self._container, filters), scope, media=MANY):
            if isinstance(row, dict):
                yield _line_item(row, self._container)

    def make(self, *, label: str, score_maximum: float, resource_id: str, resource_link_id: str) -> LineItem:
        """A new column, bound to a link.

        Raises:
            Refused: the platform makes none.
        """
        if self._container is None:
            raise Refused(403)
        described = Described().set_label(label).set_score_maximum(score_maximum).set_resource_id(resource_id)
        body = json.loads(described.set_resource_link_id(resource_link_id).get_value())
        answer = self._calls.call("POST", self._container, LINE_ITEM, media=ONE, line_item=body)
        if answer.status >= 300:
            raise Refused(answer.status)
        return _line_item(answer.json(), self._container)

    def read(self, url: str) -> LineItem | None:
        """One column; None where it is gone.

        Raises:
            Refused: it may not be read, so that nobody can tell.
        """
        scope = self._calls.reading
        if scope is None:
            raise Refused(403)
        answer = self._calls.call("GET", url, scope, media=ONE)
        if answer.status in GONE:
            return None
        if answer.status >= 300:
            raise Refused(answer.status)
        return _line_item(answer.json(), url, known_as=url)

    def change(self, found: LineItem, **members: object) -> None:
        """Change some members. PUT takes the whole item: what this tool does not know goes back as it came.

        Raises:
            Refused: the platform does not change it.
        """
        answer = self._calls.call("PUT", found.url, LINE_ITEM, media=ONE, line_item={**found.body, **members})
        if answer.status >= 300:
            raise Refused(answer.status)

    def remove(self, url: str) -> None:
        """Take a column away, with everybody's scores in it; one that is gone already is as good.

        Raises:
            Refused: the platform keeps it.
        """
        answer = self._calls.call("DELETE", url, LINE_ITEM, media=ONE)
        if answer.status >= 300 and answer.status not in GONE:
            raise Refused(answer.status)


def _line_item(row: object, beside: str, known_as: str | None = None) -> LineItem:
    if not isinstance(row, dict):
        raise BrokeContract("The LMS's answer is no line item.")
    return LineItem(
        url=known_as or on_the_same_host(row.get("id"), beside),
        label=str(row.get("label") or ""),
        resource_id=_text(row.get("resourceId")),
        resource_link_id=_text(row.get("resourceLinkId")),
        body=row,
    )


def _text(value: object) -> str | None:
    """Some platforms write ids as numbers, and an id that is not there as an empty text."""
    return None if value in (None, "") or isinstance(value, (dict, list, bool)) else str(value)
