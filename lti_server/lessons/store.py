"""Lessons added by file, kept as the document that `schemas` checked. Operator's data: no tenant, nobody's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.lessons.tables import lesson
from lti_server.statements import Statement


def keep(connection: Connection, definitions: Mapping[str, Mapping[str, Any]], at: datetime) -> None:
    """Add the definitions by lesson id; one that is there already is replaced and keeps its `added_at`."""
    if not definitions:
        return
    rows = [{"id": lesson_id, "definition": dict(one), "added_at": at} for lesson_id, one in definitions.items()]
    insert = pg.insert(lesson)
    statement = insert.on_conflict_do_update(
        index_elements=[lesson.c.id], set_={"definition": insert.excluded.definition}
    )
    connection.execute(statement, rows)


def definitions(database: Database) -> list[Mapping[str, Any]]:
    """Every definition, in the order in which they were added."""
    return [found for (found,) in database.once_every(_DEFINITIONS, {})]


_DEFINITIONS = Statement("SELECT definition FROM lesson ORDER BY added_at, id")
