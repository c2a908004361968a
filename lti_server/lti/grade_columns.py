"""Where a grade goes: the launch's own column, one that was found again, or one that is made, and each of them once.

A copied course has columns of its own. What the LMS copied with it is adopted; the origin's is never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.ids import GrantId
from lti_server.lti.grade_service import GradeService, Refused
from lti_server.lti.line_items import LineItem, LineItems
from lti_server.lti.tokens import Service
from lti_server.privacy import grants
from lti_server.progress.columns import Column
from lti_server.web.languages import N_

NONE_MADE = N_("The LMS gave no column for this link, and does not let this tool make one.")
NO_ACCESS = N_("The LMS does not let this tool write grades. Allow the tool's gradebook access in the LMS.")
COLUMN_GONE = N_("The column is gone from the LMS's gradebook, and could not be made again.")
NOT_DECLARED = N_("The lesson does not have this column any more, so nothing is sent to it; what stands there is left.")
OF_THE_ORIGIN = N_("The LMS named the column of the course that this one was copied from; make the link there again.")


class Parked(Exception):
    """This score cannot be delivered until somebody mends something: the reason says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A column in the LMS's gradebook, and what the lesson says of it. `anew`: it was made just now, and is empty."""

    url: str
    column: Column
    anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedColumn:
    """A column that this tool made in a gradebook, and whose lesson does not have it any more."""

    id: UUID
    lesson_id: str
    key: str
    label: str
    url: str


class GradeColumns:
    """Finds and makes line items. The row of a column is locked meanwhile, so that many workers make one."""

    def __init__(
        self,
        database: Database,
        columns: Callable[[str, str, str], Column | None],
        services: Callable[[Service, list[str]], GradeService],
    ) -> None:
        """`columns` gives the column of a lesson's id, a key and a locale, or None."""
        self._database = database
        self._columns = columns
        self._services = services

    def calls(self, service: Service, column_id: UUID) -> GradeService:
        """The grade services of a column's course, with what its link was granted."""
        with self._database.tenant(service.district_id) as connection:
            return self._services(service, connection.execute(_ROW, {"id": column_id}).one().ags_scopes)

    def place(self, service: Service, column_id: UUID, locale: str, gone: str | None = None) -> Place:
        """The address of a column; `gone` is one that the LMS does not know any more.

        Raises:
            Parked: there is none, and none can be made.
        """
        with self._database.tenant(service.district_id) as connection:
            row = connection.execute(_ROW, {"id": column_id}).one()
            column = self._columns(row.lesson_id, row.activity_id, locale)
            if column is None:
                raise Parked(NOT_DECLARED)
            items = LineItems(self._services(service, row.ags_scopes), row.lineitems_url)
            moved = row.column_container not in (None, row.lineitems_url)
            known = None if moved or row.line_item_url == gone else row.line_item_url
            if known is not None:
                self._follow_title(connection, service, items, row, column)
                return Place(url=known, column=column)
            named = row.lineitem_url if row.activity_id == row.link_activity_id else None
            if named is not None and named != gone and not row.of_origin:
                _keep(connection, service, row, named, made=False, label=None)
                return Place(url=named, column=column)
            if not items.may_make:
                raise Parked(OF_THE_ORIGIN if row.of_origin else NONE_MADE if gone is None else COLUMN_GONE)
            return self._find_or_make(connection, service, items, row, column, gone)

    def stands(self, calls: GradeService, url: str) -> bool:
        """Whether a column is still there; False where nobody can tell."""
        try:
            return LineItems(calls, None).read(url) is not None
        except Refused:
            return False

    def unused(self, connection: Connection, grant_id: GrantId) -> list[UnusedColumn]:
        """The columns that this tool made under a grant and nothing is sent to any more; never a teacher's own."""
        rows = connection.execute(_MADE, {"grant": grant_id}).all()
        return [UnusedColumn(**row._mapping) for row in rows if self._columns(row.lesson_id, row.key, "en") is None]

    def remove(self, service: Service, one: UnusedColumn) -> bool:
        """Take an unused column out of the gradebook, with every score in it; False where the LMS keeps it.

        The row stays, so that what was delivered stays accounted for. Run again, it changes nothing more.
        """
        with self._database.tenant(service.district_id) as connection:
            row = connection.execute(_ROW, {"id": one.id}).one()
            if not row.made or row.line_item_url is None:
                return True
            calls = self._services(service, row.ags_scopes)
            try:
                LineItems(calls, row.lineitems_url).remove(row.line_item_url)
            except Refused:
                return False
            grants.fence(connection, service.grant_id, service.epoch)
            connection.execute(_REMOVED, {"id": one.id})
        return True

    def _find_or_make(
        self,
        connection: Connection,
        service: Service,
        items: LineItems,
        row: sa.Row[Any],
        column: Column,
        gone: str | None,
    ) -> Place:
        try:
            found = _found(connection, items, row, gone)
            item = found or items.make(
                label=column.label, score_maximum=column.score_maximum, resource_id=str(row.id),
                resource_link_id=row.resource_link_id,
            )  # fmt: skip
        except Refused as refused:
            raise Parked(COLUMN_GONE if refused.status in (404, 410) else NO_ACCESS) from None
        _keep(connection, service, row, item.url, made=True, label=column.label)
        return Place(url=item.url, column=column, anew=found is None)

    def _follow_title(
        self, connection: Connection, service: Service, items: LineItems, row: sa.Row[Any], column: Column
    ) -> None:
        """A column of ours is called as its lesson is, unless a teacher called it something else."""
        if not row.made or row.label == column.label or not items.may_make:
            return
        try:
            item = items.read(row.line_item_url)
            if item is not None and row.label == item.label:
                items.change(item, label=column.label)
        except Refused:
            pass  # a wish: the grade goes its way under the old name
        grants.fence(connection, service.grant_id, service.epoch)
        connection.execute(_SET_LABEL, {"id": row.id, "label": column.label})


def _found(connection: Connection, items: LineItems, row: sa.Row[Any], gone: str | None) -> LineItem | None:
    """A column that is there already: made before a crash, or copied with the course.

    One that is bound to this link may carry the id of any column of the same lesson; one that the copy left unbound
    only the ids of this column and of those that its link was copied from, and it is nobody else's.
    """
    bound = [item for item in items.find(resource_link_id=row.resource_link_id) if item.url != gone]
    mine = [item for item in bound if item.resource_link_id == row.resource_link_id]
    ours = _columns_alike(connection, row, [item.resource_id for item in mine])
    # The picker's own name for a line item, where the launch does not say which of several is the link's.
    if row.activity_id == row.link_activity_id:
        ours.add("/".join(part for part in (row.lesson_id, row.activity_id) if part))
    for item in mine:
        if item.resource_id in ours:
            return item
    taken = set(connection.execute(_OTHERS, {"id": row.id}).scalars())
    for resource_id in _ancestry(connection, row):
        for item in items.find(resource_id=resource_id):
            unbound = item.resource_link_id in (None, row.resource_link_id)
            if item.resource_id == resource_id and unbound and item.url not in taken and item.url != gone:
                return item
    return None


def _columns_alike(connection: Connection, row: sa.Row[Any], resource_ids: list[str | None]) -> set[str]:
    """Those of these ids that are columns of ours for the same lesson and the same part of it."""
    ids = []
    for text in resource_ids:
        try:
            ids.append(UUID(text or ""))
        except ValueError:
            continue
    values = {"ids": ids, "lesson": row.lesson_id, "key": row.activity_id}
    return {str(one) for one in connection.execute(_ALIKE, values).scalars()}


def _ancestry(connection: Connection, row: sa.Row[Any]) -> Iterator[str]:
    yield str(row.id)
    for found in connection.execute(_ANCESTRY, {"link": row.link_id, "key": row.activity_id}).scalars():
        yield str(found)


def _keep(
    connection: Connection, service: Service, row: sa.Row[Any], url: str, *, made: bool, label: str | None
) -> None:
    """What the LMS answered is kept only as long as the grant stands (law 4)."""
    grants.fence(connection, service.grant_id, service.epoch)
    values = {"id": row.id, "url": url, "made": made, "label": label, "container": row.lineitems_url}
    connection.execute(_SET_URL, values)


# `lineitem_url`: what the launch names, unless that is a further column of ours; a launch names the one that there is.
# `of_origin`: the launch names a line item that an older link in another course has: of the course it was copied from.
_ROW = sa.text(
    """
SELECT c.id, c.activity_id, c.line_item_url, c.lineitems_url AS column_container, c.made, c.label,
  l.id AS link_id, l.lineitems_url, l.ags_scopes, l.resource_link_id, l.lesson_id, l.activity_id AS link_activity_id,
  CASE WHEN NOT EXISTS (SELECT FROM grade_column x WHERE x.resource_link_id = l.id AND x.id <> c.id
    AND x.line_item_url = l.lineitem_url) THEN l.lineitem_url END AS lineitem_url,
  EXISTS (SELECT FROM resource_link o WHERE o.lineitem_url = l.lineitem_url AND o.id <> l.id
    AND (o.id = l.copied_from_id OR o.created_at < l.created_at AND o.copied_from_id IS DISTINCT FROM l.id)
    AND o.lineitems_url IS DISTINCT FROM l.lineitems_url) AS of_origin
FROM grade_column c JOIN resource_link l ON l.id = c.resource_link_id WHERE c.id = :id FOR UPDATE OF c
"""
)
_SET_URL = sa.text(
    "UPDATE grade_column SET line_item_url = :url, made = :made, label = :label, lineitems_url = :container"
    " WHERE id = :id"
)
_REMOVED = sa.text("UPDATE grade_column SET line_item_url = NULL, made = false, label = NULL WHERE id = :id")
_MADE = sa.text(
    "SELECT c.id, l.lesson_id, c.activity_id AS key, coalesce(c.label, '') AS label, c.line_item_url AS url"
    " FROM grade_column c JOIN resource_link l ON l.id = c.resource_link_id"
    " WHERE l.grant_id = :grant AND c.made AND c.line_item_url IS NOT NULL ORDER BY c.id"
)
_SET_LABEL = sa.text("UPDATE grade_column SET label = :label WHERE id = :id")
_ALIKE = sa.text(
    "SELECT c.id FROM grade_column c JOIN resource_link l ON l.id = c.resource_link_id"
    " WHERE c.id = ANY(:ids) AND l.lesson_id = :lesson AND c.activity_id = :key"
)
_OTHERS = sa.text("SELECT line_item_url FROM grade_column WHERE line_item_url IS NOT NULL AND id <> :id")
# A copy of a copy of a copy: as far back as course_copies.py follows a course.
_ANCESTRY = sa.text(
    """
WITH RECURSIVE origin (id, generation) AS (
  SELECT copied_from_id, 1 FROM resource_link WHERE id = :link
  UNION
  SELECT l.copied_from_id, o.generation + 1 FROM origin o JOIN resource_link l ON l.id = o.id WHERE o.generation < 20)
SELECT c.id FROM origin o JOIN grade_column c ON c.resource_link_id = o.id AND c.activity_id = :key
GROUP BY c.id ORDER BY min(o.generation)
"""
)
